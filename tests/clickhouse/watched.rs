//! `listen --from`: what comes to a store while it is watched is judged as it comes to a port,
//! however late it is, and however often the store shows it.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::support::asking::get;
use super::support::clickhouse::{ClickHouse, Layout};
use super::support::redis::RedisServer;
use super::watcher::{Watcher, Way, ended, slugs};

const BROKEN: &str = "propagator_api_b3multi_worker_w3c";
const HEALTHY: &str = "healthy_auto";
/// It is asked each second. What is missing counts as missing after three.
const QUICK: [&str; 8] = ["--every", "1s", "--overlap", "1s", "--since", "1m", "--metrics", "0"];
/// Nothing counts as missing while the test lasts.
const PATIENT: [&str; 8] = ["--every", "1s", "--overlap", "2m", "--since", "2m", "--metrics", "0"];

/// A file of a capture.
fn file(capture: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus").join(capture).join(name)
}

/// The spans of a capture, a request a line.
fn requests(capture: &str) -> Vec<String> {
    fs::read_to_string(file(capture, "spans.jsonl")).expect("a capture").lines().map(str::to_owned).collect()
}

/// When the last span of these requests ended, in seconds since 1970.
fn last_end(requests: &[String]) -> f64 {
    fn ends(value: &Value, found: &mut Vec<f64>) {
        match value {
            Value::Array(values) => values.iter().for_each(|value| ends(value, found)),
            Value::Object(fields) => {
                let end = fields.get("endTimeUnixNano").and_then(Value::as_str);
                found.extend(end.and_then(|end| end.parse::<f64>().ok()).map(|nanos| nanos / 1e9));
                fields.values().for_each(|value| ends(value, found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    requests.iter().for_each(|line| ends(&serde_json::from_str(line).expect("JSON"), &mut found));
    found.into_iter().fold(0.0, f64::max)
}

/// A capture as it happens now, of which parts come to the store one after the other.
struct Happening {
    requests: Vec<String>,
    /// How much later than in the capture it happens, in seconds.
    shift: f64,
}

impl Happening {
    fn of(capture: &str) -> Self {
        let requests = requests(capture);
        #[allow(clippy::disallowed_methods, reason = "the store has a clock of its own, which is this one")]
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
        let shift = now.as_secs_f64() - 0.5 - last_end(&requests);
        Self { requests, shift }
    }

    /// What the API sent, or its worker.
    fn of_service(&self, service: &str) -> Vec<String> {
        self.requests.iter().filter(|line| line.contains(&format!("\"{service}\""))).cloned().collect()
    }

    fn comes(&self, store: &ClickHouse, layout: Layout, database: &str, requests: &[String]) {
        let ending_at = last_end(requests) + self.shift;
        assert!(store.load(layout, database, &requests.join("\n"), Some(ending_at)) > 0);
    }
}

fn empty(layout: Layout) -> (ClickHouse, String) {
    let store = ClickHouse::start();
    store.load(layout, "otel", "", None);
    let url = store.url("otel");
    (store, url)
}

fn is_whole(watcher: &Watcher) -> bool {
    let is_whole = |handoff: &Value| {
        let has_both = handoff["producer"].is_array() && handoff["consumers"][0].is_array();
        has_both && handoff["finding"].is_null() && handoff["unproven"].is_null()
    };
    let handoffs = |event: &Value| event["handoffs"].as_array().cloned().unwrap_or_default();
    watcher.events().iter().flat_map(handoffs).any(|handoff| is_whole(&handoff))
}

/// How long ago the store was asked for what it has last answered, in seconds.
fn lag(watcher: &Watcher) -> f64 {
    let figures = get(watcher.metrics(), "/metrics").body;
    let line = figures.lines().find_map(|line| line.strip_prefix("tracelink_store_lag_seconds "));
    line.and_then(|lag| lag.parse().ok()).expect("a number")
}

/// Waits until the store was asked several times.
fn several_turns(watcher: &Watcher) {
    let (last, answered) = (Cell::new(lag(watcher)), Cell::new(0));
    watcher.wait_for("several turns", |watcher| {
        let now = lag(watcher);
        answered.set(answered.get() + u32::from(now < last.replace(now)));
        answered.get() >= 3
    });
}

#[test]
fn a_broken_hand_off_is_said_once_however_often_the_store_shows_it() {
    let (store, url) = empty(Layout::Map);
    // The overlap is long, so that each turn shows all of it again.
    let args = ["--every", "1s", "--overlap", "3s", "--since", "1m", "--metrics", "0"];
    let watcher = Watcher::start(&url, &args);
    assert!(!watcher.said().contains("s3cret"), "{}", watcher.said());
    let happening = Happening::of(BROKEN);
    happening.comes(&store, Layout::Map, "otel", &happening.requests);
    watcher.wait_for("a finding", |watcher| !watcher.slugs("finding").is_empty());
    several_turns(&watcher);
    let figures = get(watcher.metrics(), "/metrics").body;
    for part in [
        "tracelink_handoffs_total{task=\"process_order\",verdict=\"broken\",slug=",
        "tracelink_spans_received_total 10\n",
        "tracelink_spans_duplicate_total 0\n",
        "tracelink_requests_total{outcome=\"accepted\"} 0\n",
        "tracelink_store_lag_seconds ",
    ] {
        assert!(figures.contains(part), "{part} is not in {figures}");
    }
    let ended = watcher.interrupt();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let mut said = slugs(&ended.events, "finding");
    let all = said.len();
    said.sort_unstable();
    said.dedup();
    assert_eq!((said.len(), slugs(&ended.events, "resolved").len()), (all, 0), "{:?}", ended.events);
    assert_eq!(ended.report["verdict"]["status"], "broken");
    assert_eq!(ended.report["inputs"]["span_account"]["duplicates"], 0);
    let database = &ended.report["database"];
    assert_eq!((&database["is_sample"], &database["spans"]), (&Value::from(false), &Value::from(10)));
    assert_eq!((&database["handoffs"], &database["looked_at"]), (&Value::from(1), &Value::from(1)));
}

/// The worker has not taken the message yet: its spans are not missing.
#[test]
fn a_broker_beside_a_watched_store_is_joined_to_it_and_only_read() {
    let (store, url) = empty(Layout::Map);
    let redis = RedisServer::start();
    redis.load(&file(HEALTHY, "redis.queued.jsonl"));
    let (before, broker) = (redis.dump(), redis.url());
    let watcher = Watcher::start(&url, &[&QUICK[..], &["--broker", &broker]].concat());
    let happening = Happening::of(HEALTHY);
    happening.comes(&store, Layout::Map, "otel", &happening.of_service("order-api"));
    several_turns(&watcher);
    let ended = watcher.interrupt();
    let [handoff] = &**ended.report["handoffs"].as_array().expect("a list") else {
        panic!("one hand-off: {}", ended.report["handoffs"])
    };
    assert_eq!(handoff["producer"][1], "28f1cd67bff3f230", "{handoff}");
    for station in ["request", "inject", "carry"] {
        assert_eq!(handoff["stations"][station], "intact", "{handoff}");
    }
    assert_eq!(ended.report["messages"][0]["state"], "ready");
    assert_ne!(ended.report["verdict"]["status"], "broken", "{}", ended.report["verdict"]);
    assert_eq!(redis.dump(), before, "it was only read");
}

#[test]
fn what_comes_late_is_no_alarm() {
    for layout in [Layout::Map, Layout::SigNoz] {
        let (store, url) = empty(layout);
        let watcher = Watcher::start(&url, &PATIENT);
        let happening = Happening::of(HEALTHY);
        // The run comes before what published it.
        happening.comes(&store, layout, "otel", &happening.of_service("order-worker"));
        several_turns(&watcher);
        happening.comes(&store, layout, "otel", &happening.of_service("order-api"));
        watcher.wait_for("it is whole", is_whole);
        let ended = watcher.interrupt();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert_eq!(slugs(&ended.events, "finding"), [""; 0], "{:?}", ended.events);
        assert_eq!(ended.report["verdict"]["status"], "healthy", "{}", ended.report["verdict"]);
    }
}

#[test]
fn what_comes_later_than_the_overlap_takes_a_finding_back() {
    let (store, url) = empty(Layout::SigNoz);
    let watcher = Watcher::start(&url, &QUICK);
    let happening = Happening::of(HEALTHY);
    happening.comes(&store, Layout::SigNoz, "otel", &happening.of_service("order-worker"));
    watcher.wait_for("an alarm", |watcher| !watcher.slugs("finding").is_empty());
    happening.comes(&store, Layout::SigNoz, "otel", &happening.of_service("order-api"));
    watcher.wait_for("it is taken back", |watcher| {
        watcher.slugs("resolved").len() == watcher.slugs("finding").len()
    });
    let ended = watcher.interrupt();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.report["verdict"]["status"], "healthy", "{}", ended.report["verdict"]);
}

#[test]
fn a_store_that_goes_away_is_said_once_and_nothing_is_missing_meanwhile() {
    let (store, _) = empty(Layout::Map);
    let way = Way::to(store.port);
    let url = store.url("otel").replace(&store.port.to_string(), &way.port.to_string());
    let watcher =
        Watcher::start(&url, &["--every", "1s", "--settle", "8s", "--overlap", "2s", "--metrics", "0"]);
    let port = watcher.metrics();
    let happening = Happening::of(HEALTHY);
    happening.comes(&store, Layout::Map, "otel", &happening.of_service("order-worker"));
    watcher.wait_for("the run", |_| get(port, "/metrics").body.contains("tracelink_spans_held 3\n"));
    way.cut();
    watcher.wait_for("it asks again", |_| way.refused() > 2);
    // Longer than anything takes to count as missing.
    std::thread::sleep(Duration::from_secs(9));
    happening.comes(&store, Layout::Map, "otel", &happening.of_service("order-api"));
    way.mend();
    watcher.wait_for("it is whole", is_whole);
    watcher.wait_for("it is said", |watcher| watcher.said().contains("the store answers again"));
    let ended = watcher.interrupt();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stderr.matches("it is asked again every 1 s").count(), 1, "{}", ended.stderr);
    assert!(!ended.stderr.contains("s3cret"), "{}", ended.stderr);
    assert_eq!(slugs(&ended.events, "finding"), [""; 0], "{:?}", ended.events);
}

#[test]
fn a_sample_of_what_comes_is_called_one() {
    let store = ClickHouse::start();
    store.fill(Layout::Map, "otel", 4_000);
    let url = store.url("otel");
    let args = ["--every", "1s", "--since", "6h", "--all-up-to", "1", "--sample", "2", "--for", "2s"];
    let ended = Watcher::start(&url, &args).wait();
    let database = &ended.report["database"];
    let number = |name: &str| database[name].as_u64().expect("a number");
    assert_eq!(database["is_sample"], true, "{}", ended.stderr);
    assert!(number("looked_at") > 0 && number("looked_at") < number("handoffs"), "{database}");
    assert!(database["groups"].as_array().is_some_and(|groups| !groups.is_empty()), "{database}");
}

#[test]
fn nothing_that_came_is_no_evidence() {
    let (_store, url) = empty(Layout::Map);
    let ended = ended(&url, &["--every", "1s", "--for", "2s"]);
    let told = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert_eq!(ended.status.code(), Some(3), "{told}{}", String::from_utf8_lossy(&ended.stderr));
    // Nobody is told to send anything here.
    assert!(!told.contains("TL507") && told.contains("there is nothing to judge"), "{told}");
}

#[test]
fn a_store_that_does_not_answer_at_first_ends_it() {
    let (store, _) = empty(Layout::Map);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    for (url, says) in [
        (format!("clickhouse://u:s3cret@{closed}/otel"), "cannot be reached"),
        (store.url("nowhere"), "there is no database `nowhere`"),
        (store.url("otel").replace("w0rd", "s3cret"), "refuses the user or the password"),
    ] {
        let ended = ended(&url, &["--for", "1s"]);
        let told = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(4), "{told}");
        assert!(told.contains(says) && !told.contains("s3cret"), "{told}");
    }
}

#[test]
fn options_that_do_not_go_together_are_refused() {
    let url = "clickhouse://u:s3cret@127.0.0.1:1/otel";
    for (args, says) in [
        (&["--grpc", "0"][..], "--grpc is a port of the receiver"),
        (&["--http", "0"], "--http is a port of the receiver"),
        (&["--forward", "http://127.0.0.1:4318"], "--forward sends on what is received"),
        (&["--save", "kept"], "lies in the store already"),
        (&["--every", "0s"], "a duration from 1s to 2m"),
        (&["--every", "1h"], "a duration from 1s to 2m"),
        (&["--", "pytest"], "runs under a receiver"),
    ] {
        let ended = ended(url, args);
        let told = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{args:?}: {told}");
        assert!(told.contains(says) && !told.contains("s3cret"), "{args:?}: {told}");
    }
    let no_store = ended("spans.jsonl", &[]);
    assert_eq!(no_store.status.code(), Some(2), "{}", String::from_utf8_lossy(&no_store.stderr));
    for option in ["--every=1s", "--since=1h", "--sample=3", "--table=spans"] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tracelink"));
        let ended = command.args(["listen", option, "--no-config"]).output().expect("the binary runs");
        let told = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{told}");
        assert!(told.contains("needs a store to watch: --from clickhouse://"), "{told}");
    }
}

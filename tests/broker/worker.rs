//! A real Celery worker takes messages while the watch looks: where each of
//! them is, and when it is gone.

#![allow(clippy::disallowed_methods, reason = "a test waits for a real worker")]

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tracelink::broker::redis::{BrokerUrl, BrokerWatch, Monitor, WatchOptions};
use tracelink::bundle::EvidenceOptions;
use tracelink::evidence::{Evidence, Presence};
use tracelink::live::BrokerLooks;
use tracelink::model::{MessageState, TaskStatus};

use crate::server::RedisServer;
use crate::support::python;
use crate::watch::{fate, look, take, watch};

const CONF: &str = "SHOP_CONF";

fn shop(url: &str, conf: &str, args: &[&str]) -> Command {
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/shop.py");
    let mut command = Command::new(python::interpreter("current"));
    command.arg(script).arg(url).args(args).env(CONF, conf);
    command
}

fn publish(url: &str, conf: &str, args: &[&str]) -> Vec<String> {
    let output = shop(url, conf, &[&["publish"], args].concat()).output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// A worker, stopped with the test.
struct Worker(Child);

impl Worker {
    fn start(url: &str, conf: &str, args: &[&str]) -> Self {
        let args = [&["worker", "--concurrency=1"], args].concat();
        let mut command = shop(url, conf, &args);
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("Python runs"))
    }

    /// A warm shutdown: what was not begun is given back.
    fn stop(mut self) {
        let id = self.0.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status().expect("kill runs");
        self.0.wait().expect("it ends");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Its children end with it when it is asked to, not when it is killed.
        let id = self.0.id().to_string();
        if matches!(self.0.try_wait(), Ok(None)) {
            let _ = Command::new("kill").args(["-TERM", &id]).status();
            let deadline = Instant::now() + Duration::from_secs(10);
            while matches!(self.0.try_wait(), Ok(None)) && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Looks until it is so.
fn until(
    watch: &mut BrokerWatch,
    live: &mut BrokerLooks,
    evidence: &mut Evidence,
    what: &str,
    is_so: impl Fn(&Evidence) -> bool,
) {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        take(watch, live, evidence);
        if is_so(evidence) {
            return;
        }
        assert!(Instant::now() < deadline, "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_message_waits_is_held_and_is_gone_and_its_result_appears() {
    let server = RedisServer::start(&[]);
    let url = server.url(0);
    let conf = r#"{"task_acks_late": true, "worker_prefetch_multiplier": 1}"#;
    let (mut live, mut evidence) =
        (BrokerLooks::new("redis", EvidenceOptions::default(), 8 << 20), Evidence::default());
    let mut watch = watch(&server, WatchOptions::default());
    take(&mut watch, &mut live, &mut evidence);
    let slow = publish(&url, conf, &["shop.slow", "1"]).remove(0);
    take(&mut watch, &mut live, &mut evidence);
    assert_eq!(fate(&evidence, &slow), Presence::Waiting(MessageState::Ready));

    let worker = Worker::start(&url, conf, &[]);
    until(&mut watch, &mut live, &mut evidence, "the worker holds it", |evidence| {
        fate(evidence, &slow) == Presence::Waiting(MessageState::Unacked)
    });
    let last = evidence.brokers.last_looks().next().expect("it was looked at");
    assert!(last.has_worker(), "{last:?}");
    until(&mut watch, &mut live, &mut evidence, "it is gone", |evidence| {
        fate(evidence, &slow) == Presence::Gone
    });

    let deadline = Instant::now() + Duration::from_secs(20);
    while evidence
        .tasks
        .get(&slow)
        .and_then(|task| task.result.as_ref())
        .is_none_or(|result| result.status != TaskStatus::Success)
    {
        assert!(Instant::now() < deadline, "no result");
        let looked = look(&mut watch, std::slice::from_ref(&slow));
        live.look(&mut evidence, looked.at, looked.complete_since, looked.left_out, &looked.lines);
    }
    drop(worker);
}

#[test]
fn an_eta_task_is_scheduled_and_a_warm_shutdown_gives_it_back() {
    let server = RedisServer::start(&[]);
    let url = server.url(0);
    let (mut live, mut evidence) =
        (BrokerLooks::new("redis", EvidenceOptions::default(), 8 << 20), Evidence::default());
    let mut watch = watch(&server, WatchOptions::default());
    let later = publish(&url, "{}", &["shop.quick", "1", r#"{"countdown": 3600}"#]).remove(0);
    take(&mut watch, &mut live, &mut evidence);
    assert_eq!(fate(&evidence, &later), Presence::Waiting(MessageState::Ready));
    let worker = Worker::start(&url, "{}", &[]);
    until(&mut watch, &mut live, &mut evidence, "a worker waits with it", |evidence| {
        fate(evidence, &later) == Presence::Waiting(MessageState::Scheduled)
    });
    worker.stop();
    until(&mut watch, &mut live, &mut evidence, "it is given back", |evidence| {
        fate(evidence, &later) == Presence::Waiting(MessageState::Ready)
    });
    let task = evidence.tasks.get(&later).expect("it was seen");
    assert!(task.messages[0].last().redelivered, "{task:?}");
    assert_eq!(task.messages.len(), 1, "one attempt, delivered twice");
}

#[test]
fn priorities_and_a_prefix_are_one_queue() {
    let server = RedisServer::start(&[]);
    let url = server.url(0);
    let conf = r#"{"broker_transport_options": {"global_keyprefix": "shop:"}}"#;
    let (mut live, mut evidence) =
        (BrokerLooks::new("redis", EvidenceOptions::default(), 8 << 20), Evidence::default());
    let mut watch =
        watch(&server, WatchOptions { key_prefix: Some("shop:".to_owned()), ..WatchOptions::default() });
    take(&mut watch, &mut live, &mut evidence);
    for priority in ["0", "3", "9"] {
        publish(&url, conf, &["shop.quick", "2", &format!(r#"{{"priority": {priority}}}"#)]);
    }
    take(&mut watch, &mut live, &mut evidence);
    let last = evidence.brokers.last_looks().next().expect("it was looked at");
    let queues: Vec<_> =
        last.queues.iter().map(|(name, seen)| (&**name, seen.ready, seen.complete)).collect();
    assert_eq!(queues, [("celery", 6, true)]);
    assert_eq!(last.queues["celery"].priorities, [(0, 2), (3, 2), (9, 2)].into());
    let worker = Worker::start(&url, conf, &[]);
    let ids: Vec<String> = evidence.tasks.iter().map(|task| task.id.to_string()).collect();
    until(&mut watch, &mut live, &mut evidence, "all are gone", |evidence| {
        ids.iter().all(|id| fate(evidence, id) == Presence::Gone)
    });
    drop(worker);
}

#[test]
fn monitor_hears_every_message_that_polling_misses() {
    const COUNT: usize = 200;
    let server = RedisServer::start(&[]);
    let url = server.url(0);
    let worker = Worker::start(&url, "{}", &[]);
    let (mut live, mut evidence) =
        (BrokerLooks::new("redis", EvidenceOptions::default(), 8 << 20), Evidence::default());
    let mut watch = watch(&server, WatchOptions::default());
    until(&mut watch, &mut live, &mut evidence, "the worker is there", |evidence| {
        evidence.brokers.last_looks().any(tracelink::evidence::Look::has_worker)
    });
    let mut monitor = Monitor::open(&BrokerUrl::parse(&url).expect("a URL"), None)
        .unwrap_or_else(|error| panic!("{error}"));
    let ids = std::thread::scope(|scope| {
        let publishing = scope.spawn(|| publish(&url, "{}", &["shop.quick", &COUNT.to_string()]));
        let deadline = Instant::now() + Duration::from_mins(1);
        // No look from the first message to the last result.
        while evidence.tasks.results() < COUNT as u64 && Instant::now() < deadline {
            for heard in monitor.read(Duration::from_millis(100)).unwrap_or_else(|error| panic!("{error}")) {
                live.monitored(&mut evidence, heard.at, &heard.line);
            }
        }
        publishing.join().expect("it publishes")
    });
    assert_eq!(ids.len(), COUNT);
    for id in &ids {
        let task = evidence.tasks.get(id).unwrap_or_else(|| panic!("{id} was not heard"));
        assert_eq!(task.messages.len(), 1, "{task:?}");
        assert_eq!(&*task.messages[0].message.queue, "celery");
        assert_eq!(task.result.as_ref().map(|result| &result.status), Some(&TaskStatus::Success));
        assert_eq!(evidence.presence_of(&task.messages[0]), Presence::Unknown, "no look was taken since");
    }
    let gone = take(&mut watch, &mut live, &mut evidence);
    assert_eq!(gone.len(), COUNT, "a look shows them gone");
    assert_eq!(evidence.tasks.len(), COUNT);
    drop(worker);
}

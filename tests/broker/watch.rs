//! Looking again and again: what a look costs, what it keeps, and what it says
//! when there is little to see.

#![allow(clippy::disallowed_methods, reason = "a test measures what it waited")]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use redis::{Commands, cmd};
use tracelink::broker::redis::{BrokerUrl, BrokerWatch, Look, READ_COMMANDS, WHERE_ALLOWED, WatchOptions};
use tracelink::bundle::EvidenceOptions;
use tracelink::evidence::{Evidence, Presence};
use tracelink::live::BrokerLooks;
use tracelink::model::MessageState;
use tracelink::wire::snapshot::KeyContent;

use crate::readonly::{SEPARATOR, dump, envelope, fill, monitored};
use crate::server::RedisServer;

pub fn watch(server: &RedisServer, options: WatchOptions) -> BrokerWatch {
    let url = BrokerUrl::parse(&server.url(0)).expect("a URL of Celery's");
    BrokerWatch::open(&url, None, options).unwrap_or_else(|error| panic!("{error}"))
}

pub fn look(watch: &mut BrokerWatch, unfinished: &[String]) -> Look {
    let seen = watch.look(unfinished).unwrap_or_else(|error| panic!("{error}"));
    seen.expect("the broker is there")
}

/// Looks, and takes what is seen.
pub fn take(watch: &mut BrokerWatch, live: &mut BrokerLooks, evidence: &mut Evidence) -> Vec<Box<str>> {
    let looked = look(watch, &[]);
    live.look(evidence, looked.at, looked.complete_since, looked.left_out, &looked.lines).gone
}

pub fn fate(evidence: &Evidence, id: &str) -> Presence {
    let task = evidence.tasks.get(id).unwrap_or_else(|| panic!("{id} was not seen"));
    evidence.presence_of(task.messages.last().expect("its message was seen"))
}

/// The entries that were seen of each key.
fn entries(looked: &Look, key: &str) -> Vec<String> {
    let lines = looked.lines.iter().filter(|line| *line.key == *key.as_bytes());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    lines
        .flat_map(|line| match &line.content {
            KeyContent::List(entries) => entries.iter().map(|entry| text(entry)).collect(),
            KeyContent::Hash(pairs) => pairs.iter().map(|(_, value)| text(value)).collect(),
            KeyContent::String(value) => vec![text(value)],
            _ => Vec::new(),
        })
        .collect()
}

#[test]
fn an_application_that_starts_later_is_seen_at_once() {
    let server = RedisServer::start(&[]);
    let mut redis = server.connection();
    let mut watch = watch(&server, WatchOptions::default());
    let empty = look(&mut watch, &[]);
    assert!(empty.lines.is_empty() && empty.complete_since.is_some());

    redis.lpush::<_, _, ()>("celery", envelope(1)).expect("it listens");
    redis
        .hset::<_, _, _, ()>("unacked", "tag", format!("[{}, \"\", \"celery\"]", envelope(2)))
        .expect("it listens");
    assert_eq!(entries(&look(&mut watch, &[]), "celery"), [envelope(1)]);

    // A queue that is bound is asked by its name, with its priorities.
    redis
        .sadd::<_, _, ()>("_kombu.binding.celery", format!("o{SEPARATOR}{SEPARATOR}orders"))
        .expect("it listens");
    redis.lpush::<_, _, ()>(format!("orders{SEPARATOR}9"), envelope(3)).expect("it listens");
    let looked = look(&mut watch, &[]);
    assert_eq!(entries(&looked, &format!("orders{SEPARATOR}9")), [envelope(3)]);
    assert_eq!(entries(&looked, "unacked").len(), 1);
}

#[test]
fn a_queue_without_a_binding_is_found_by_walking() {
    let server = RedisServer::start(&[]);
    let mut redis = server.connection();
    let mut watch = watch(&server, WatchOptions::default());
    redis.lpush::<_, _, ()>("unbound", envelope(1)).expect("it listens");
    redis.lpush::<_, _, ()>("rq:queue", "4e9d0a2c").expect("it listens");
    let before = look(&mut watch, &[]).complete_since;
    let deadline = Instant::now() + Duration::from_secs(20);
    let looked = loop {
        let looked = look(&mut watch, &[]);
        if !entries(&looked, "unbound").is_empty() {
            break looked;
        }
        assert!(Instant::now() < deadline, "it was not found");
        std::thread::sleep(Duration::from_millis(200));
    };
    assert!(looked.complete_since > before, "every name was met once more");
    assert!(entries(&looked, "rq:queue").is_empty(), "another program's");
    redis.rpop::<_, ()>("unbound", None).expect("it listens");
    let looked = look(&mut watch, &[]);
    let line = looked.lines.iter().find(|line| *line.key == *b"unbound").expect("it is known to be empty");
    assert_eq!((line.len, line.complete), (Some(0), true));
}

#[test]
fn of_a_long_queue_both_ends_are_read_and_the_rest_is_counted() {
    let server = RedisServer::start(&[]);
    fill(&server);
    let options = WatchOptions { entries: 100, ..WatchOptions::default() };
    let mut watch = watch(&server, options.clone());
    for _ in 0..2 {
        let looked = look(&mut watch, &[]);
        let seen = entries(&looked, "celery");
        assert_eq!(seen.len(), 100);
        assert_eq!((&seen[0], &seen[99]), (&envelope(2499), &envelope(0)), "the newest and the next one out");
        assert_eq!(looked.unread, 2400);
        let lines: Vec<_> = looked.lines.iter().filter(|line| *line.key == *b"celery").collect();
        assert!(lines.iter().all(|line| !line.complete && line.len == Some(2500)));
        assert_eq!(lines.iter().map(|line| line.from).collect::<Vec<_>>(), [0, 2450]);
    }
    // Bytes bound it too, once the size of a message is known.
    let few = WatchOptions { bytes: 20_000, ..options };
    let mut watch = self::watch(&server, few);
    let read: usize = look(&mut watch, &[]).lines.iter().map(|line| line.content.len()).sum();
    assert!((20..150).contains(&read), "{read} entries");
}

#[test]
fn looks_that_see_the_same_grow_nothing() {
    let server = RedisServer::start(&[]);
    fill(&server);
    let mut redis = server.connection();
    redis.lpush::<_, _, ()>("celery", "no message").expect("it listens");
    let mut watch = watch(&server, WatchOptions::default());
    let (mut live, mut evidence) =
        (BrokerLooks::new("redis", EvidenceOptions::default(), 8 << 20), Evidence::default());
    let unfinished = ["1", "2", "3", "4"].map(str::to_owned);
    let mut sizes = BTreeSet::new();
    for round in 0..200 {
        let looked = look(&mut watch, &unfinished);
        assert_eq!((looked.is_news, looked.long_results), (round == 0, 1));
        let change =
            live.look(&mut evidence, looked.at, looked.complete_since, looked.left_out, &looked.lines);
        assert!(change.gone.is_empty(), "{change:?}");
        if round >= 70 {
            sizes.insert((
                evidence.tasks.bytes(),
                evidence.brokers.bytes(),
                evidence.counts().foreign_entries,
                evidence.tasks.results(),
                evidence.open_units(),
            ));
        }
    }
    assert_eq!(sizes.len(), 1, "{sizes:?}");
    assert_eq!((evidence.counts().foreign_entries, evidence.tasks.results()), (1, 2));
    assert_eq!(fate(&evidence, "0"), Presence::Waiting(MessageState::Ready));
}

#[test]
fn more_results_than_a_look_asks_for_have_their_turn() {
    let server = RedisServer::start(&[]);
    let mut redis = server.connection();
    let ids: Vec<String> = (0..25).map(|id| format!("task-{id}")).collect();
    for id in &ids {
        redis
            .set::<_, _, ()>(format!("shop:celery-task-meta-{id}"), r#"{"status": "STARTED"}"#)
            .expect("it listens");
    }
    let options = WatchOptions { results: 10, result_prefix: "shop:".to_owned(), ..WatchOptions::default() };
    let mut watch = watch(&server, options);
    let mut seen = BTreeSet::new();
    for _ in 0..3 {
        let looked = look(&mut watch, &ids);
        assert_eq!(looked.lines.len(), 10);
        seen.extend(looked.lines.into_iter().map(|line| line.key));
    }
    assert_eq!(seen.len(), 25);
}

#[test]
fn a_broker_that_goes_away_is_told_once_and_looked_at_again() {
    let server = RedisServer::start(&[]);
    let (port, url) = (server.port, BrokerUrl::parse(&server.url(0)).expect("a URL"));
    let mut watch = watch(&server, WatchOptions::default());
    assert!(!look(&mut watch, &[]).is_back);
    drop(server);
    assert!(watch.look(&[]).is_err(), "the first look that fails says why");
    for _ in 0..3 {
        assert!(watch.look(&[]).expect("it was said before").is_none());
    }
    let again = RedisServer::start_at(port, tempfile::tempdir().expect("a folder"), &[]);
    let deadline = Instant::now() + Duration::from_secs(20);
    let looked = loop {
        if let Some(looked) = watch.look(&[]).expect("nothing new is wrong") {
            break looked;
        }
        assert!(Instant::now() < deadline, "{url:?} was not tried again");
        std::thread::sleep(Duration::from_millis(100));
    };
    assert!(looked.is_back && !look(&mut watch, &[]).is_back);
    drop(again);
}

#[test]
fn a_watch_leaves_no_trace_and_needs_no_more_than_reading() {
    let server = RedisServer::start(&[]);
    fill(&server);
    let mut redis = server.connection();
    let rules = ["on", ">p", "~*", "-@all", "+@read", "+@connection", "+time"];
    cmd("ACL").arg("SETUSER").arg("looker").arg(&rules).exec(&mut redis).expect("valid rules");
    let before = dump(&mut redis);
    let url = BrokerUrl::parse(&format!("redis://looker:p@127.0.0.1:{}/0", server.port)).expect("a URL");
    let said = monitored(&server, || {
        let mut watch =
            BrokerWatch::open(&url, None, WatchOptions::default()).unwrap_or_else(|error| panic!("{error}"));
        for _ in 0..40 {
            look(&mut watch, &["1".to_owned(), "2".to_owned()]);
            std::thread::sleep(Duration::from_millis(150));
        }
    });
    // `MONITOR` of Redis 7 shows that somebody logs in, without the password.
    let allowed: BTreeSet<String> =
        tracelink::broker::redis::READ_COMMANDS.into_iter().chain(["AUTH"]).map(str::to_owned).collect();
    assert!(said.is_subset(&allowed), "{said:?}");
    assert!(said.contains("LRANGE") && said.contains("HSCAN") && said.contains("MGET"), "{said:?}");
    assert_eq!(dump(&mut redis), before);
}

/// A look beside many keys of other programs walks over some of them at most.
#[test]
fn foreign_keys_do_not_slow_a_look() {
    let server = RedisServer::start(&[]);
    let mut redis = server.connection();
    for thousand in 0..300 {
        let sessions: Vec<_> =
            (0..1000).map(|number| (format!("session:{thousand}:{number}"), "x")).collect();
        redis.mset::<_, _, ()>(&sessions).expect("it takes all");
    }
    redis.lpush::<_, _, ()>("celery", envelope(1)).expect("it listens");
    let mut watch = watch(&server, WatchOptions::default());
    for _ in 0..20 {
        let start = Instant::now();
        assert_eq!(entries(&look(&mut watch, &[]), "celery").len(), 1);
        assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_watch_of_the_wrong_database_names_the_right_one() {
    let server = RedisServer::start(&[]);
    let mut redis = server.connection();
    cmd("SELECT").arg(1).exec(&mut redis).expect("a database");
    let binding = format!("celery{SEPARATOR}{SEPARATOR}celery");
    redis.sadd::<_, _, ()>("_kombu.binding.celery", binding).expect("a set");
    let mut seen = Vec::new();
    let said = monitored(&server, || {
        let mut watch = watch(&server, WatchOptions::default());
        seen.push(look(&mut watch, &[]).other_databases);
        seen.push(look(&mut watch, &[]).other_databases);
    });
    assert_eq!(seen, [vec![1], vec![]], "it is told once");
    let allowed = READ_COMMANDS.into_iter().chain(WHERE_ALLOWED).chain(["SELECT"]);
    let allowed: BTreeSet<_> = allowed.map(str::to_owned).collect();
    assert!(said.contains("INFO") && said.is_subset(&allowed), "{said:?}");
    // A user who may not say INFO is told less, and sees the rest all the same.
    cmd("ACL")
        .arg(&["SETUSER", "reader", "on", ">pw", "~*", "-@all", "+@read", "+time", "+select"])
        .exec(&mut redis)
        .expect("rules");
    let url = format!("redis://reader:pw@127.0.0.1:{}/0", server.port);
    let url = BrokerUrl::parse(&url).expect("a URL of Celery's");
    let mut watch =
        BrokerWatch::open(&url, None, WatchOptions::default()).unwrap_or_else(|error| panic!("{error}"));
    assert!(look(&mut watch, &[]).other_databases.is_empty());
}

#[test]
fn nothing_was_taken_from_a_database_that_holds_nothing_of_celerys() {
    let server = RedisServer::start(&[]);
    let mut watch = watch(&server, WatchOptions::default());
    let (mut live, mut evidence) =
        (BrokerLooks::new("here", EvidenceOptions::default(), 1 << 20), Evidence::default());
    evidence.add_result(
        tracelink::wire::celery::read_result("t1", br#"{"status": "SUCCESS"}"#).expect("a result"),
    );
    take(&mut watch, &mut live, &mut evidence);
    let report = |evidence: &Evidence| {
        tracelink::diagnosis::report(evidence, evidence.clock(), tracelink::diagnosis::Listing::default())
    };
    let wrong = report(&evidence);
    assert_eq!(wrong.limits.messages_not_seen, 0);
    assert!(
        wrong.verdict.unproven.iter().any(|gap| gap.needs.contains("holds nothing of Celery")),
        "{:?}",
        wrong.verdict
    );
    let mut redis = server.connection();
    redis
        .sadd::<_, _, ()>("_kombu.binding.celery", format!("celery{SEPARATOR}{SEPARATOR}celery"))
        .expect("a set");
    watch.walk_again();
    take(&mut watch, &mut live, &mut evidence);
    assert_eq!(report(&evidence).limits.messages_not_seen, 1);
}

/// By what a look costs, the next one waits: 10,000 queues once cost a broker 48,754
/// commands a second.
#[test]
fn a_look_says_how_many_commands_it_took() {
    const QUEUES: usize = 500;
    let server = RedisServer::start(&[]);
    let mut redis = server.connection();
    let mut pipe = redis::pipe();
    for queue in 0..QUEUES {
        let member = format!("queue{queue}{SEPARATOR}{SEPARATOR}queue{queue}");
        pipe.sadd(format!("_kombu.binding.queue{queue}"), member).ignore();
    }
    pipe.exec(&mut redis).expect("it listens");
    let mut watch = watch(&server, WatchOptions::default());
    look(&mut watch, &[]);
    let answered = |redis: &mut redis::Connection| {
        let stats: String = cmd("INFO").arg("stats").query(redis).expect("it listens");
        let line = stats.lines().find_map(|line| line.strip_prefix("total_commands_processed:"));
        line.and_then(|count| count.trim().parse::<u64>().ok()).expect("a number")
    };
    let before = answered(&mut redis);
    let looked = look(&mut watch, &[]);
    // Its own question is among them.
    assert_eq!(answered(&mut redis) - before - 1, looked.commands);
    assert!(looked.commands > QUEUES as u64, "{}", looked.commands);
}

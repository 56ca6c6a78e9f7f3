//! Listening to `MONITOR`: what is Celery's is heard, and nothing else.

#![allow(clippy::disallowed_methods, reason = "a test waits for a real server")]

use std::time::{Duration, Instant};

use redis::{Commands, cmd};
use rustix::process::Signal;
use tracelink::broker::redis::{BrokerError, BrokerUrl, Monitor, MonitoredKey};
use tracelink::wire::snapshot::KeyContent;

use crate::listening::Listening;
use crate::readonly::{SEPARATOR, dump, envelope, fill};
use crate::server::RedisServer;

fn open(url: &str) -> Result<Monitor, BrokerError> {
    Monitor::open(&BrokerUrl::parse(url).expect("a URL of Celery's"), None)
}

/// What is heard until there are so many pieces.
pub fn hear(monitor: &mut Monitor, count: usize) -> Vec<MonitoredKey> {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut heard = Vec::new();
    while heard.len() < count && Instant::now() < deadline {
        heard.extend(monitor.read(Duration::from_millis(200)).unwrap_or_else(|error| panic!("{error}")));
    }
    heard
}

#[test]
fn what_is_celerys_is_heard_and_nothing_else() {
    let server = RedisServer::start(&[]);
    let mut monitor = open(&server.url(0)).unwrap_or_else(|error| panic!("{error}"));
    let mut redis = server.connection();
    let held = format!("[{}, \"\", \"celery\"]", envelope(2));
    let priority = format!("celery{SEPARATOR}3");
    let mut pipe = redis::pipe();
    pipe.set("password", "hunter2").lpush("log", "secret").lpush("celery", envelope(1));
    pipe.rpush(&priority, envelope(3)).hset("session", "user", "bob").hset("unacked", "tag", &held);
    pipe.set_ex("celery-task-meta-1", "{\"status\": \"SUCCESS\", \"result\": \"\u{fc}\\n\"}", 60);
    pipe.lpush("9f.reply.celery.pidbox", envelope(4));
    pipe.exec(&mut redis).expect("it listens");
    // In a transaction and in a script too.
    redis::pipe().atomic().lpush("celery", envelope(5)).exec(&mut redis).expect("it listens");
    let script = "return redis.call('LPUSH', KEYS[1], ARGV[1])";
    cmd("EVAL").arg(script).arg(1).arg("celery").arg(envelope(6)).exec(&mut redis).expect("it runs");
    // Another database is another broker.
    cmd("SELECT").arg(1).exec(&mut redis).expect("it has some");
    redis.lpush::<_, _, ()>("celery", envelope(7)).expect("it listens");
    cmd("SELECT").arg(0).exec(&mut redis).expect("it has some");
    redis.lpush::<_, _, ()>("celery", envelope(8)).expect("it listens");

    let heard: Vec<_> = hear(&mut monitor, 7)
        .into_iter()
        .map(|heard| {
            assert!(heard.at.to_string().starts_with("20"), "{}", heard.at);
            let content = match heard.line.content {
                KeyContent::List(entries) => entries.concat(),
                KeyContent::Hash(pairs) => {
                    pairs.into_iter().flat_map(|(_, value)| value.into_owned()).collect()
                }
                KeyContent::String(value) => value.into_owned(),
                other => panic!("{other:?}"),
            };
            (
                String::from_utf8_lossy(&heard.line.key).into_owned(),
                String::from_utf8_lossy(&content).into_owned(),
            )
        })
        .collect();
    let expected = [
        ("celery", envelope(1)),
        (&priority, envelope(3)),
        ("unacked", held),
        ("celery-task-meta-1", "{\"status\": \"SUCCESS\", \"result\": \"\u{fc}\\n\"}".to_owned()),
        ("celery", envelope(5)),
        ("celery", envelope(6)),
        ("celery", envelope(8)),
    ];
    assert_eq!(heard, expected.map(|(key, value)| (key.to_owned(), value)));
    assert_eq!((monitor.too_long, monitor.unreadable), (0, 0));
    assert!(!format!("{monitor:?}").contains("hunter2"));
}

#[test]
fn a_line_that_is_too_long_is_passed_over_and_counted() {
    let server = RedisServer::start(&[]);
    let mut monitor = open(&server.url(0)).unwrap_or_else(|error| panic!("{error}"));
    let mut redis = server.connection();
    redis.set::<_, _, ()>("cache", vec![0u8; 3 << 20]).expect("it listens");
    redis.lpush::<_, _, ()>("celery", envelope(1)).expect("it listens");
    assert_eq!(hear(&mut monitor, 1).len(), 1);
    assert_eq!(monitor.too_long, 1);
}

#[test]
fn who_may_not_say_monitor_is_told_what_is_missing() {
    let server = RedisServer::start(&[]);
    let mut redis = server.connection();
    let rules = ["on", ">secret", "~*", "-@all", "+@read", "+@connection", "+time"];
    cmd("ACL").arg("SETUSER").arg("looker").arg(&rules).exec(&mut redis).expect("valid rules");
    let url = format!("redis://looker:secret@127.0.0.1:{}/0", server.port);
    let error = open(&url).expect_err("it is refused");
    assert!(matches!(error, BrokerError::MonitorForbidden { .. }), "{error:?}");
    let message = error.to_string();
    assert!(message.contains("+monitor") && !message.contains("secret"), "{message}");

    cmd("ACL").arg(&["SETUSER", "looker", "+monitor"]).exec(&mut redis).expect("valid rules");
    let mut monitor = open(&url).unwrap_or_else(|error| panic!("{error}"));
    redis.lpush::<_, _, ()>("celery", envelope(1)).expect("it listens");
    assert_eq!(hear(&mut monitor, 1).len(), 1);

    let error =
        open(&format!("redis://looker:guess@127.0.0.1:{}/0", server.port)).expect_err("it is refused");
    assert!(matches!(error, BrokerError::PasswordWrong { .. }), "{error:?}");
    let error = open(&format!("rediss://127.0.0.1:{}/0", server.port)).expect_err("it is not offered");
    assert!(matches!(error, BrokerError::MonitorOverTls { .. }), "{error:?}");
}

#[test]
fn listening_says_auth_and_monitor_and_changes_nothing() {
    let server = RedisServer::start(&["--requirepass", "secret"]);
    let url = format!("redis://:secret@127.0.0.1:{}/3", server.port);
    drop(open(&url).unwrap_or_else(|error| panic!("{error}")));
    let client = redis::Client::open(url.replace("/3", "/0")).expect("valid");
    let mut redis = client.get_connection().expect("it listens");
    let stats: String = cmd("INFO").arg("commandstats").query(&mut redis).expect("it counts");
    let counted = stats.lines().filter_map(|line| line.strip_prefix("cmdstat_"));
    let counted: Vec<_> = counted.filter_map(|line| line.split(',').next()).collect();
    // The test's own connection logs in too, and greets in the driver's way.
    let others: Vec<_> =
        counted.iter().filter(|said| !said.starts_with("client") && !said.starts_with("hello")).collect();
    assert_eq!(others.len(), 2, "{counted:?}");
    assert!(counted.contains(&"monitor:calls=1"), "{counted:?}");

    let server = RedisServer::start(&[]);
    fill(&server);
    let mut redis = server.connection();
    let before = dump(&mut redis);
    let mut monitor = open(&format!("redis+socket://{}", server.socket().display()))
        .unwrap_or_else(|error| panic!("{error}"));
    assert!(monitor.read(Duration::from_millis(300)).expect("it goes on").is_empty());
    assert_eq!(dump(&mut redis), before);
}

#[test]
fn a_server_that_ends_is_told() {
    let server = RedisServer::start(&[]);
    let mut monitor = open(&server.url(0)).unwrap_or_else(|error| panic!("{error}"));
    drop(server);
    assert!(matches!(
        monitor.read(Duration::from_secs(5)),
        Err(BrokerError::Lost { command: "MONITOR", .. })
    ));
}

/// Once the monitor went with the server and never came back.
#[test]
fn after_a_restart_every_message_is_seen_again() {
    let server = RedisServer::start(&[]);
    let (url, port) = (server.url(0), server.port);
    let mut listening = Listening::start(&["--broker", &url, "--broker-monitor"]);
    drop(server);
    listening.wait_for("until then messages are seen only where they wait");
    let server = RedisServer::start_at(port, tempfile::tempdir().expect("a folder"), &[]);
    listening.wait_for("every message is seen again");
    // Pushed and taken in one transaction: no look can see it.
    let mut redis = server.connection();
    redis::pipe()
        .atomic()
        .lpush("celery", envelope(9))
        .rpop("celery", None)
        .exec(&mut redis)
        .expect("it listens");
    std::thread::sleep(Duration::from_millis(500));
    listening.signal(Signal::TERM);
    let report = listening.report();
    assert_eq!(report["inputs"]["messages"], 1, "{}", report["inputs"]);
}

//! tracelink never consumes, moves, acknowledges or writes anything in a
//! user's broker. Proved, not intended.

mod support;

use std::path::Path;
use std::process::{Command, Output};
use std::sync::mpsc;
use std::time::Duration;

use support::redis::{RedisServer, Wire};

fn tracelink(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tracelink")).args(args).output().expect("tracelink runs")
}

fn case(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus").join(name)
}

/// A broker with everything in it: lists, priorities, `unacked`, results, and
/// what other programs keep.
fn full_broker(args: &[&str]) -> RedisServer {
    let redis = RedisServer::start_with(args);
    for (name, stage) in [
        ("shape_prefetch_unacked", "redis.processing.jsonl"),
        ("shape_foreign_keys_and_garbage", "redis.queued.jsonl"),
        ("shape_priorities", "redis.queued.jsonl"),
        ("retry_manual", "redis.retry1.jsonl"),
    ] {
        redis.load(&case(name).join(stage));
    }
    redis
}

/// Every way to look at a broker.
fn look_in_every_way(url: &str, folder: &Path) {
    let save = folder.join("saved.jsonl");
    let save = save.to_str().expect("UTF-8");
    for args in [
        &[][..],
        &["--all"],
        &["--limit", "2"],
        &["celery"],
        &["--show-args", "--verbose"],
        &["--save", save],
    ] {
        let output = tracelink(&[&["inspect-queue", "--broker", url], args].concat());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(matches!(output.status.code(), Some(0 | 1)), "{args:?}: {error}");
    }
}

/// What a client may send: reading, and what a connection needs.
const ALLOWED: &[&str] = &[
    "TIME", "SCAN", "TYPE", "LLEN", "LRANGE", "LINDEX", "SSCAN", "HLEN", "HSCAN", "MGET", "DBSIZE", "PTTL",
    "ZCARD", "ZRANGE", "STRLEN", "AUTH", "SELECT", "PING",
];

#[test]
fn monitor_sees_nothing_but_reading_and_every_key_stays_as_it_was() {
    let redis = full_broker(&[]);
    let before = redis.dump();
    assert!(before.len() > 10, "the broker is full");
    let (send, seen) = mpsc::channel();
    let mut monitor = Wire::connect(redis.port);
    assert_eq!(monitor.ask(&[b"MONITOR"]), b"+OK");
    std::thread::spawn(move || {
        loop {
            let line = monitor.line();
            if line.is_empty() || send.send(line).is_err() {
                break;
            }
        }
    });
    let folder = tempfile::tempdir().expect("a folder");
    look_in_every_way(&redis.url(), folder.path());
    let mut commands = Vec::new();
    while let Ok(line) = seen.recv_timeout(Duration::from_millis(500)) {
        let command = line.split('"').nth(1).unwrap_or_default().to_ascii_uppercase();
        assert!(ALLOWED.contains(&command.as_str()), "sent {line}");
        commands.push(command);
    }
    for expected in ["LRANGE", "HSCAN", "MGET", "SSCAN", "TIME"] {
        assert!(commands.iter().any(|command| command == expected), "{expected} was not seen: {commands:?}");
    }
    assert_eq!(redis.dump(), before);
}

#[test]
fn a_user_who_may_only_read_can_see_everything() {
    let looker = "--user looker on >secret ~* -@all +@read +@connection +time";
    let redis = full_broker(&looker.split(' ').collect::<Vec<_>>());
    let folder = tempfile::tempdir().expect("a folder");
    look_in_every_way(&format!("redis://looker:secret@127.0.0.1:{}/0", redis.port), folder.path());
}

#[test]
fn a_unix_socket_is_read() {
    let redis = full_broker(&[]);
    let url = format!("redis+socket://{}?virtual_host=0", redis.socket().display());
    let output = tracelink(&["inspect-queue", "--broker", &url]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_was_saved_says_what_was_seen() {
    let redis = RedisServer::start();
    redis.load(&case("own540_two_apis_one_not_instrumented").join("redis.queued.jsonl"));
    let folder = tempfile::tempdir().expect("a folder");
    let saved = folder.path().join("saved.jsonl");
    let saved = saved.to_str().expect("UTF-8");
    let report = |args: &[&str]| -> serde_json::Value {
        let output = tracelink(&[args, &["--format", "json"]].concat());
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let live = report(&["inspect-queue", "--broker", &redis.url(), "--save", saved]);
    let again = report(&["inspect-queue", "--snapshot", saved]);
    assert_eq!(live["verdict"], again["verdict"]);
    assert_eq!(live["queues"], again["queues"]);
    assert_eq!(live["tasks"], again["tasks"]);
    let text = std::fs::read_to_string(saved).expect("readable");
    assert!(!text.contains("user2"), "arguments are left out");
}

#[test]
fn a_list_that_moves_is_counted_once() {
    let redis = RedisServer::start();
    let snapshot = case("healthy_auto").join("redis.queued.jsonl");
    redis.load(&snapshot);
    let envelope = redis.ask(&[b"LINDEX", b"celery", b"0"]);
    let text = String::from_utf8(envelope).expect("UTF-8");
    let id = text.split("\"id\": \"").nth(1).and_then(|rest| rest.split('"').next()).expect("an id");
    let mut wire = Wire::connect(redis.port);
    wire.ask(&[b"DEL", b"celery"]);
    let total = 30_000;
    for number in 0..total {
        let message = text.replace(id, &format!("{number:08}-0000-4000-8000-000000000000"));
        wire.ask(&[b"LPUSH", b"celery", message.as_bytes()]);
    }
    let port = redis.port;
    let (stop, stopped) = mpsc::channel::<()>();
    let consumer = std::thread::spawn(move || {
        let mut wire = Wire::connect(port);
        let mut taken = 0;
        while stopped.try_recv().is_err() {
            wire.ask(&[b"RPOP", b"celery"]);
            taken += 1;
            std::thread::sleep(Duration::from_micros(200));
        }
        taken
    });
    let output = tracelink(&["inspect-queue", "--broker", &redis.url(), "--all", "--format", "json"]);
    stop.send(()).expect("the consumer listens");
    let taken: u64 = consumer.join().expect("the consumer ends");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let read = report["inputs"]["messages"].as_u64().expect("a number");
    assert!(read <= total, "{read} of {total} messages: some were counted twice");
    assert!(read + taken >= total, "{read} read and {taken} taken of {total}: some were passed over");
}

//! Nothing is left behind, however a play ends.

#![allow(clippy::disallowed_methods, reason = "a test waits for real processes")]

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tracelink::demo::native::{self, Options};
use tracelink::demo::{DemoError, DemoEvent, OtlpEndpoints};

use crate::support::redis::{RedisServer, Wire, free_port};

fn options(broker: Option<String>) -> Options {
    // Nobody receives: that is no reason to leave anything either.
    let nobody = format!("http://127.0.0.1:{}", free_port());
    Options {
        program: PathBuf::from(env!("CARGO_BIN_EXE_tracelink")),
        broker,
        otlp: OtlpEndpoints { grpc: nobody.clone(), http: nobody },
        orders: None,
        rate: None,
        pace: 0.5,
        keep: false,
    }
}

/// Gives the play of that fault, and breaks it off at the event.
fn give(fault: &str, options: &Options, ends_at: impl Fn(&DemoEvent) -> bool) -> Result<(), DemoError> {
    let play = native::find(fault).expect("it is there").scenario();
    native::run(&play, options, &mut |event| {
        if ends_at(&event) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
}

#[test]
fn a_users_broker_is_as_it_was() {
    let redis = RedisServer::start();
    redis.ask(&[b"LPUSH", b"celery", b"{}"]);
    redis.ask(&[b"HSET", b"unacked", b"tag", b"[]"]);
    redis.ask(&[b"SADD", b"_kombu.binding.celery.pidbox", b"another"]);
    redis.ask(&[b"SET", b"celery-task-meta-other", b"{}"]);
    let content = || {
        let asked: [&[&[u8]]; 4] = [
            &[b"LRANGE", b"celery", b"0", b"-1"],
            &[b"HGETALL", b"unacked"],
            &[b"SMEMBERS", b"_kombu.binding.celery.pidbox"],
            &[b"KEYS", b"*"],
        ];
        asked.map(|command| {
            let mut said = Wire::connect(redis.port).list(command);
            said.sort();
            said.iter().map(|entry| String::from_utf8_lossy(entry).into_owned()).collect::<Vec<_>>()
        })
    };
    let before = content();
    let options = options(Some(redis.url()));
    let took = |event: &DemoEvent| matches!(event, DemoEvent::Took { .. });
    let ended = |event: &DemoEvent| matches!(event, DemoEvent::Ended { .. });
    let queued = |event: &DemoEvent| matches!(event, DemoEvent::Queued { .. });
    for (fault, ends_at) in [
        ("healthy", None),
        ("healthy", Some(&queued as &dyn Fn(&DemoEvent) -> bool)),
        ("healthy", Some(&took)),
        ("healthy-chord", None),
        ("healthy-chord", Some(&took)),
        ("healthy-chain", Some(&ended)),
        ("healthy-retries", Some(&ended)),
        ("healthy-eta", Some(&queued)),
        ("duplicate-execution", Some(&took)),
        ("worker-killed", None),
        ("no-worker", None),
    ] {
        give(fault, &options, |event| ends_at.is_some_and(|ends_at| ends_at(event))).expect(fault);
        assert_eq!(content(), before, "{fault}, broken off: {}", ends_at.is_some());
    }
}

#[test]
fn a_broker_that_is_not_there_is_an_error_and_not_a_wait() {
    let started = Instant::now();
    let gone = options(Some(format!("redis://127.0.0.1:{}/0", free_port())));
    assert!(matches!(give("healthy", &gone, |_| false), Err(DemoError::Broker(_))));
    assert!(started.elapsed() < Duration::from_secs(5));
}

/// Processes below this one that a play started, found by what they were
/// started with.
fn processes() -> Vec<String> {
    let mine = std::process::id().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("Linux").flatten() {
        let read = |name: &str| std::fs::read_to_string(entry.path().join(name)).unwrap_or_default();
        let command = read("cmdline");
        let marked = read("environ").split('\0').any(|pair| pair == format!("DEMO_TEST={mine}"));
        if marked && command.contains(native::SUBCOMMAND) {
            found.push(format!("{} {command}", entry.path().display()));
        }
    }
    found
}

#[test]
fn no_process_outlives_a_stage_that_was_killed() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    // This very test, again, as the one that is killed.
    if std::env::var_os("DEMO_TEST_STAGE").is_some() {
        let options = Options { pace: 50.0, ..options(None) };
        give("healthy", &options, |event| {
            if matches!(event, DemoEvent::Took { .. }) {
                println!("took it");
            }
            false
        })
        .expect("it is killed before");
        return;
    }
    let mut stage = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "cleaning::no_process_outlives_a_stage_that_was_killed", "--nocapture"])
        .env("DEMO_TEST_STAGE", "1")
        .env("DEMO_TEST", std::process::id().to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let output = stage.stdout.take().expect("piped");
    let took = BufReader::new(output).lines().map_while(Result::ok).any(|line| line.contains("took it"));
    assert!(took, "the worker took the order");
    assert!(processes().len() >= 4, "broker, API, worker and pool: {:?}", processes());
    stage.kill().expect("it runs");
    stage.wait().expect("it ends");
    let deadline = Instant::now() + Duration::from_secs(10);
    while !processes().is_empty() {
        assert!(Instant::now() < deadline, "left behind: {:?}", processes());
        std::thread::sleep(Duration::from_millis(50));
    }
}

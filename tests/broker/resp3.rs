//! A broker behind a proxy that has asked for version 3 of the protocol: tracelink asks
//! for none, so only such a proxy brings it.

#![allow(clippy::disallowed_methods, reason = "a test waits for a real server")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::Commands;
use serde_json::Value;
use tracelink::wire::snapshot::KeyLine;

use crate::readonly::{do_everything, dump, fill, monitored};
use crate::server::RedisServer;
use crate::valkey;

/// Passes each connection on to a server, once it has said there what makes it answer in
/// version 3 and tell of every key that is written.
struct Proxy {
    port: u16,
    /// What the server has answered to all connections.
    answered: Arc<Mutex<Vec<u8>>>,
}

impl Proxy {
    fn before(server: &RedisServer) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let answered = Arc::new(Mutex::new(Vec::new()));
        let (to, kept) = (server.port, Arc::clone(&answered));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                pass_on(&client, to, &kept);
            }
        });
        Self { port, answered }
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    fn has_answered(&self, what: &[u8]) -> bool {
        let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        answered.windows(what.len()).any(|bytes| bytes == what)
    }
}

fn pass_on(client: &TcpStream, to: u16, kept: &Arc<Mutex<Vec<u8>>>) {
    let mut server = TcpStream::connect(("127.0.0.1", to)).expect("it listens");
    server.write_all(b"HELLO 3\r\nCLIENT TRACKING ON BCAST\r\n").expect("it listens");
    // The last of what it answers to these.
    let (mut greeting, mut byte) = (Vec::new(), [0]);
    while !greeting.ends_with(b"+OK\r\n") {
        server.read_exact(&mut byte).expect("it answers");
        greeting.extend(byte);
    }
    assert!(greeting.starts_with(b"%"), "{greeting:?}");
    let clone = |stream: &TcpStream| stream.try_clone().expect("a socket");
    let (mut from_client, mut to_server) = (clone(client), clone(&server));
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(std::net::Shutdown::Both);
    });
    let (mut to_client, kept) = (clone(client), Arc::clone(kept));
    std::thread::spawn(move || {
        let mut bytes = vec![0; 1 << 16];
        while let Ok(count @ 1..) = server.read(&mut bytes) {
            kept.lock().unwrap_or_else(PoisonError::into_inner).extend(&bytes[..count]);
            if to_client.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = to_client.shutdown(std::net::Shutdown::Both);
    });
}

/// Without what differs from one look to the next.
fn comparable(mut lines: Vec<KeyLine<'static>>) -> Vec<KeyLine<'static>> {
    lines.iter_mut().for_each(|line| line.pttl = line.pttl.min(0));
    lines
}

fn reads_the_same(server: &RedisServer) {
    fill(server);
    let proxy = Proxy::before(server);
    let (discovery, lines) = do_everything(&server.url(0));
    let before = dump(&mut server.connection());

    // Others write meanwhile, so that the server tells of it between its answers.
    let is_over = AtomicBool::new(false);
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut said = std::collections::BTreeSet::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut redis = server.connection();
            while !is_over.load(Ordering::Relaxed) {
                redis.set::<_, _, ()>("session:1", "cache").expect("it listens");
            }
        });
        let pushed = b"\r\n>2\r\n$10\r\ninvalidate\r\n";
        loop {
            said.extend(monitored(server, || {
                let (through, read) = do_everything(&proxy.url());
                assert_eq!(through.lists, discovery.lists);
                assert_eq!((through.complete, through.foreign_lists), (true, discovery.foreign_lists));
                assert_eq!(comparable(read), comparable(lines.clone()));
            }));
            if proxy.has_answered(pushed) || Instant::now() > deadline {
                break;
            }
        }
        is_over.store(true, Ordering::Relaxed);
        assert!(proxy.has_answered(pushed), "nothing was pushed");
    });
    // It was version 3 in truth: scores are doubles, and nothing is a null.
    assert!(proxy.has_answered(b"\r\n,18000"), "no double was answered");
    assert!(proxy.has_answered(b"\r\n_\r\n"), "no null was answered");
    // Nothing but reading, beside what the proxy and the other client say.
    said.retain(|command| !["HELLO", "SET"].contains(&command.as_str()));
    let read: Vec<_> = tracelink::broker::redis::READ_COMMANDS.to_vec();
    assert!(said.iter().all(|command| read.contains(&command.as_str())), "{said:?}");
    assert_eq!(dump(&mut server.connection()), before);
}

#[test]
fn version_3_of_the_protocol_is_read_as_version_2() {
    reads_the_same(&RedisServer::start(&[]));
}

#[test]
fn version_3_of_valkey_is_read_as_version_2() {
    reads_the_same(&valkey::start(&[]));
}

#[test]
fn a_report_is_the_same_in_both_versions() {
    let server = RedisServer::start(&[]);
    fill(&server);
    let proxy = Proxy::before(&server);
    let report = |url: &str| -> Value {
        let output = Command::new(env!("CARGO_BIN_EXE_tracelink"))
            .args(["inspect-queue", "--broker", url, "--format", "json"])
            .output()
            .expect("tracelink runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(matches!(output.status.code(), Some(0 | 1)), "{said}");
        serde_json::from_slice(&output.stdout).expect("a report")
    };
    let (direct, through) = (report(&server.url(0)), report(&proxy.url()));
    for part in ["verdict", "queues", "tasks", "limits"] {
        assert_eq!(through[part], direct[part], "{part}");
    }
    assert!(proxy.has_answered(b"\r\n,18000"), "no double was answered");
}

/// `INFO` is a verbatim string there.
#[test]
fn the_right_database_is_named_in_version_3() {
    let server = RedisServer::start(&[]);
    let mut redis = server.connection();
    redis::cmd("SELECT").arg(1).exec(&mut redis).expect("a database");
    redis.sadd::<_, _, ()>("_kombu.binding.celery", "celery\u{6}\u{16}\u{6}\u{16}celery").expect("a set");
    let proxy = Proxy::before(&server);
    let output = Command::new(env!("CARGO_BIN_EXE_tracelink"))
        .args(["inspect-queue", "--broker", &proxy.url()])
        .output()
        .expect("tracelink runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("in database 1 of the same server"), "{said}");
    assert_eq!(output.status.code(), Some(4));
}

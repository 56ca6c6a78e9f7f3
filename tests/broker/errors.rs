//! Each way in which a broker cannot be reached or read has a message of its
//! own, and each way in which Celery writes a URL leads to the broker.
//!
//! Over 400 lines, since it is the list of all errors, each with a server that causes it.

#![allow(clippy::disallowed_methods, reason = "a test measures what it waited")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::listening::Listening;
use crate::server::{RedisServer, free_port};
use redis::{Commands, cmd};
use rustix::process::Signal;
use tracelink::broker::redis::{
    BrokerError, BrokerUrl, Connection, Discovery, FoundKey, ReadPlan, discover, read,
};

fn open(url: &str) -> Result<Connection, BrokerError> {
    Connection::open(&BrokerUrl::parse(url).unwrap_or_else(|error| panic!("{url}: {error}")))
}

fn look(url: &str, named: &[&str]) -> Result<Discovery, BrokerError> {
    let named: Vec<_> = named.iter().map(|&queue| queue.to_owned()).collect();
    discover(&mut open(url)?, &named, &mut |_, _| ControlFlow::Continue(()))
}

/// The same, which `progress` may break off.
fn discover_in(
    url: &str,
    named: &[&str],
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Discovery {
    let named: Vec<_> = named.iter().map(|&queue| queue.to_owned()).collect();
    let mut connection = open(url).expect("it answers");
    discover(&mut connection, &named, progress).expect("it is Celery's")
}

/// The error and what it says, which holds no password.
fn refused<T>(result: Result<T, BrokerError>) -> (BrokerError, String) {
    let Err(error) = result else { panic!("it was let in") };
    let text = format!("{error} {error:?}");
    assert!(!text.contains("secret") && !text.contains("guess"), "{text}");
    let message = error.to_string();
    (error, message)
}

#[test]
fn nobody_listens() {
    let (error, message) = refused(open(&format!("redis://:secret@127.0.0.1:{}/0", free_port())));
    assert!(matches!(error, BrokerError::Unreachable { .. }), "{error:?}");
    assert!(
        message.contains("redis://:***@127.0.0.1") && message.contains("Is Redis running there"),
        "{message}"
    );
    let (error, _) = refused(open("redis+socket:///nowhere/redis.sock"));
    assert!(matches!(error, BrokerError::Unreachable { .. }), "{error:?}");
    let (error, _) = refused(open("redis://no-such-host.invalid"));
    assert!(matches!(error, BrokerError::Unreachable { .. }), "{error:?}");
}

#[test]
fn the_password_is_missing_or_wrong() {
    let server = RedisServer::start(&["--requirepass", "secret"]);
    let (error, message) = refused(open(&server.url(1)));
    assert!(matches!(error, BrokerError::PasswordMissing { .. }), "{error:?}");
    assert!(message.contains("redis://:<password>@"), "{message}");
    for login in [":guess", "nobody:guess"] {
        let (error, message) = refused(open(&format!("redis://{login}@127.0.0.1:{}", server.port)));
        assert!(matches!(error, BrokerError::PasswordWrong { .. }), "{error:?}");
        assert!(message.contains("invalid username-password pair"), "{message}");
    }
    assert!(open(&format!("redis://:secret@127.0.0.1:{}/1", server.port)).is_ok());
}

#[test]
fn a_password_that_the_server_does_not_have() {
    let server = RedisServer::start(&[]);
    let (error, message) = refused(open(&format!("redis://:guess@127.0.0.1:{}", server.port)));
    assert!(matches!(error, BrokerError::PasswordWrong { .. }), "{error:?}");
    assert!(message.contains("without any password configured"), "{message}");
}

#[test]
fn the_user_may_not_read() {
    let server = RedisServer::start(&[]);
    let mut redis = server.connection();
    let rules = ["on", ">secret", "~celery", "-@all", "+select", "+time", "+dbsize", "+scan", "+llen"];
    cmd("ACL").arg("SETUSER").arg("narrow").arg(&rules).exec(&mut redis).expect("valid rules");
    redis.sadd::<_, _, ()>("_kombu.binding.celery", "celery").expect("a set");
    let url = format!("redis://narrow:secret@127.0.0.1:{}", server.port);
    let (error, message) = refused(look(&url, &[]));
    assert!(matches!(error, BrokerError::NoPermission { command: "SSCAN", .. }), "{error:?}");
    assert!(message.contains("may not send SSCAN. ") && message.contains("+lrange"), "{message}");
    cmd("ACL")
        .arg("SETUSER")
        .arg("narrow")
        .arg(&["+sscan", "+hlen", "+zcard"])
        .exec(&mut redis)
        .expect("a valid rule");
    let (_, message) = refused(look(&url, &[]));
    assert!(message.contains("for the key `_kombu.binding.celery`"), "{message}");
    let (error, _) = refused(look(&url, &["orders"]));
    assert!(matches!(error, BrokerError::NoPermission { command: "LLEN", .. }), "{error:?}");
}

#[test]
fn a_user_with_narrow_key_patterns_sees_what_they_may() {
    let server = RedisServer::start(&[]);
    let mut redis = server.connection();
    let rules = ["on", ">secret", "~*celery*", "~unacked*", "+@all"];
    cmd("ACL").arg("SETUSER").arg("narrow").arg(&rules).exec(&mut redis).expect("valid rules");
    for queue in ["celery", "orders"] {
        let member = format!("{queue}\u{6}\u{16}\u{6}\u{16}{queue}");
        redis.sadd::<_, _, ()>(format!("_kombu.binding.{queue}"), member).expect("a set");
        redis.lpush::<_, _, ()>(queue, "{}").expect("a list");
    }
    let url = format!("redis://narrow:secret@127.0.0.1:{}", server.port);
    let discovery = look(&url, &[]).expect("they may read the one");
    assert_eq!(discovery.lists, [FoundKey { key: "celery".to_owned(), len: 1 }]);
    assert!(!discovery.complete, "there may be others");
}

/// Once the walk gave up at 100,000 lists of other programs, and said that no
/// messages were queued.
#[test]
fn queues_are_met_beside_any_number_of_lists_of_others() {
    const OTHERS: usize = 120_000;
    let server = RedisServer::start(&[]);
    let mut redis = server.connection();
    for chunk in (0..OTHERS).collect::<Vec<_>>().chunks(10_000) {
        let mut pipe = redis::pipe();
        for number in chunk {
            pipe.lpush(format!("job:{number}"), "x").ignore();
        }
        pipe.exec(&mut redis).expect("lists");
    }
    for queue in ["alpha", "zeta"] {
        let member = format!("{queue}\u{6}\u{16}\u{6}\u{16}{queue}");
        redis.sadd::<_, _, ()>(format!("_kombu.binding.{queue}"), member).expect("a set");
        redis.lpush::<_, _, ()>(queue, "no message of Celery's").expect("a list");
    }
    let discovery = look(&server.url(0), &[]).expect("it is Celery's");
    let found: Vec<_> = discovery.lists.iter().map(|list| &*list.key).collect();
    assert_eq!(found, ["alpha", "zeta"]);
    assert!(discovery.complete && discovery.foreign_lists >= OTHERS as u64, "{}", discovery.foreign_lists);
    // However the walk ends, what is bound or named was asked for by its name.
    redis.lpush::<_, _, ()>("unbound", "x").expect("a list");
    let mut soon = |passed, all| {
        if passed * 2 > all + 10_000 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let broken_off = discover_in(&server.url(0), &["unbound"], &mut soon);
    let found: Vec<_> = broken_off.lists.iter().map(|list| &*list.key).collect();
    assert_eq!(found, ["alpha", "unbound", "zeta"]);
    assert!(!broken_off.complete);
}

#[test]
fn a_command_that_is_forbidden_is_named_and_makes_nothing_empty() {
    let server = RedisServer::start(&[]);
    let mut redis = server.connection();
    redis.sadd::<_, _, ()>("_kombu.binding.celery", "celery\u{6}\u{16}\u{6}\u{16}celery").expect("a set");
    redis.lpush::<_, _, ()>("celery", "{}").expect("a list");
    redis.hset::<_, _, _, ()>("unacked", "tag", "[]").expect("a hash");
    for command in ["DBSIZE", "HLEN", "LLEN", "SCAN", "SSCAN", "ZCARD"] {
        let rules =
            ["reset".to_owned(), "on".to_owned(), ">secret".to_owned(), "~*".to_owned(), "+@all".to_owned()];
        let forbidden = format!("-{}", command.to_ascii_lowercase());
        cmd("ACL")
            .arg("SETUSER")
            .arg("narrow")
            .arg(&rules)
            .arg(forbidden)
            .exec(&mut redis)
            .expect("valid rules");
        let (error, _) = refused(look(&format!("redis://narrow:secret@127.0.0.1:{}", server.port), &[]));
        assert!(
            matches!(error, BrokerError::NoPermission { command: named, key: None, .. } if named == command),
            "{error:?}"
        );
    }
}

#[test]
fn what_is_named_is_no_list() {
    let server = RedisServer::start(&[]);
    server.connection().set::<_, _, ()>("orders", "9").expect("a string");
    let (error, message) = refused(look(&server.url(0), &["orders"]));
    assert!(matches!(error, BrokerError::WrongType { .. }), "{error:?}");
    assert!(message.contains("`orders` is not a list"), "{message}");
}

#[test]
fn the_database_is_not_there_or_not_celerys() {
    let server = RedisServer::start(&[]);
    let (error, message) = refused(open(&server.url(99)));
    assert!(matches!(error, BrokerError::NoDatabase { .. }), "{error:?}");
    assert!(message.contains("out of range"), "{message}");
    server.connection().rpush::<_, _, ()>("recent", "page").expect("a list");
    let (error, message) = refused(look(&server.url(0), &[]));
    assert!(matches!(error, BrokerError::NotCelery { keys: 1, .. }), "{error:?}");
    assert!(message.contains("broker_url"), "{message}");
    // Another one of the same server does; a third holds another program's keys.
    let mut redis = server.connection();
    redis::cmd("SELECT").arg(3).exec(&mut redis).expect("a database");
    redis.sadd::<_, _, ()>("tags", "new").expect("a set");
    redis::cmd("SELECT").arg(1).exec(&mut redis).expect("a database");
    let binding = "celery\u{6}\u{16}\u{6}\u{16}celery";
    redis.sadd::<_, _, ()>("shop:_kombu.binding.celery", binding).expect("a set");
    let (error, message) = refused(look(&server.url(0), &[]));
    assert!(
        matches!(&error, BrokerError::NotCelery { other_databases, .. } if *other_databases == [1]),
        "{error:?}"
    );
    assert!(message.contains("in database 1 of the same server"), "{message}");
}

#[test]
fn a_socket_is_as_good_as_a_port() {
    let server = RedisServer::start(&[]);
    let socket = server.socket();
    let socket = socket.to_str().expect("a plain path");
    for url in [format!("redis+socket://{socket}?virtual_host=2"), format!("unix://{socket}?db=2")] {
        assert!(open(&url).is_ok(), "{url}");
    }
}

/// A certificate for `localhost`, its own authority.
fn certificate(dir: &Path) {
    let arguments = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=tracelink-test \
                     -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE -keyout key.pem -out cert.pem";
    let made = Command::new("openssl").args(arguments.split_whitespace()).current_dir(dir).output();
    let made = made.unwrap_or_else(|error| {
        panic!("openssl cannot be started ({error}): install it (Debian: apt-get install openssl)")
    });
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[test]
fn tls_is_checked_as_the_url_says() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    certificate(dir.path());
    let files = ["--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem", "--tls-auth-clients", "no"];
    let server = RedisServer::start_in(dir, &files);
    let (port, authority) = (server.port, server.dir.path().join("cert.pem"));
    let authority = authority.to_str().expect("a plain path");

    let (error, message) = refused(open(&format!("rediss://localhost:{port}")));
    assert!(matches!(error, BrokerError::Tls { .. }), "{error:?}");
    assert!(message.contains("UnknownIssuer") && message.contains("ssl_ca_certs"), "{message}");
    let (error, _) = refused(open(&format!("rediss://127.0.0.1:{port}?ssl_ca_certs={authority}")));
    assert!(matches!(error, BrokerError::Tls { .. }), "{error:?}");
    let (error, _) = refused(open(&format!("rediss://localhost:{port}?ssl_ca_certs=/nowhere.pem")));
    assert!(matches!(error, BrokerError::File { .. }), "{error:?}");

    for query in [
        format!("localhost:{port}/1?ssl_ca_certs={authority}"),
        format!("127.0.0.1:{port}/1?ssl_check_hostname=false&ssl_ca_certs={authority}"),
        format!("127.0.0.1:{port}/1?ssl_cert_reqs=none"),
        format!("127.0.0.1:{port}/1?ssl_cert_reqs=CERT_NONE"),
    ] {
        if let Err(error) = open(&format!("rediss://{query}")) {
            panic!("{query}: {error}");
        }
    }
}

#[test]
fn tls_and_no_tls_meet() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    certificate(dir.path());
    let files = ["--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem", "--tls-auth-clients", "no"];
    let with = RedisServer::start_in(dir, &files);
    let (error, message) = refused(open(&with.url(0)));
    assert!(matches!(error, BrokerError::NotRedis { .. }), "{error:?}");
    assert!(message.contains("write rediss://"), "{message}");
    let without = RedisServer::start(&[]);
    let (error, message) = refused(open(&format!("rediss://127.0.0.1:{}?ssl_cert_reqs=none", without.port)));
    assert!(matches!(error, BrokerError::Tls { .. }), "{error:?}");
    assert!(message.contains("write redis://"), "{message}");
}

#[test]
fn sentinel_names_the_master() {
    let master = RedisServer::start(&["--requirepass", "secret"]);
    let dir = tempfile::tempdir().expect("a temporary folder");
    let configuration = format!(
        "sentinel monitor mymaster 127.0.0.1 {} 1\nsentinel auth-pass mymaster secret\nrequirepass deepsecret\n",
        master.port
    );
    std::fs::write(dir.path().join("sentinel.conf"), configuration).expect("the folder is ours");
    let sentinel = RedisServer::start_in(dir, &["--sentinel"]);

    let gone = free_port();
    let text = format!("sentinel://:secret@127.0.0.1:{gone}/1;sentinel://127.0.0.1:{}", sentinel.port);
    let url = BrokerUrl::parse(&text).expect("valid").with_sentinel_password("deepsecret");
    assert!(matches!(refused(Connection::open(&url)).0, BrokerError::MasterUnnamed));
    let named = url.clone().with_sentinel_master("mymaster");
    if let Err(error) = Connection::open(&named) {
        panic!("{error}");
    }
    let (error, message) = refused(Connection::open(&url.with_sentinel_master("other")));
    assert!(matches!(error, BrokerError::MasterUnknown { .. }), "{error:?}");
    assert!(message.contains("--sentinel-master"), "{message}");
    let (error, _) = refused(Connection::open(&named.with_sentinel_password("guess")));
    assert!(matches!(error, BrokerError::PasswordWrong { .. }), "{error:?}");
}

/// Once it was the environment's error, exit code 4, though no environment mends it.
#[test]
fn sentinel_without_the_name_of_its_master_is_a_wrong_command_line() {
    let url = "sentinel://127.0.0.1:1/0";
    for arguments in [
        &["inspect-queue"][..],
        &["inspect-queue", "orders"],
        &["listen", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"],
        &["listen", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--broker-monitor"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_tracelink"))
            .args(arguments)
            .args(["--broker", url])
            .output()
            .expect("tracelink runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("give --sentinel-master"), "{arguments:?}: {said}");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
    }
    // With it, that nobody answers is the environment's.
    let output = Command::new(env!("CARGO_BIN_EXE_tracelink"))
        .args(["inspect-queue", "--broker", url, "--sentinel-master", "mymaster"])
        .output()
        .expect("tracelink runs");
    assert_eq!(output.status.code(), Some(4));
}

/// What a server that answers everything with `answer` is taken for.
fn taken_for(answer: Vec<u8>) -> BrokerError {
    said_to("", answer)
}

/// The same to a client that logs in.
fn said_to(login: &str, answer: Vec<u8>) -> BrokerError {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let server = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        let mut question = [0; 1024];
        // The client may have had enough at any point.
        let _ = client.read(&mut question).and_then(|_| client.write_all(&answer));
    });
    let (error, _) = refused(open(&format!("redis://{login}127.0.0.1:{port}")));
    server.join().expect("it does not panic");
    error
}

#[test]
fn what_is_no_redis_does_no_harm() {
    let answers: [&[u8]; 8] = [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x15\x03\x03\x00\x02\x02\x46",
        b"*9223372036854775807\r\n",
        b"$9223372036854775807\r\nx",
        b"*-9\r\n",
        b"%9223372036854775807\r\n",
        b"+\xff\xfe\r\n",
    ];
    let nested = "*1\r\n".repeat(100_000).into_bytes();
    for answer in answers.map(<[u8]>::to_vec).into_iter().chain([nested]) {
        let shown = String::from_utf8_lossy(&answer[..answer.len().min(40)]).into_owned();
        let error = taken_for(answer);
        assert!(matches!(error, BrokerError::NotRedis { .. }), "{shown:?}: {error:?}");
    }
    let error = taken_for(b"-LOADING Redis is loading the dataset in memory\r\n".to_vec());
    assert!(matches!(error, BrokerError::Loading { .. }), "{error:?}");
    let error = taken_for(b"-ERR \x1b[2Jnonsense\r\n".to_vec());
    assert!(error.to_string().contains("\\u{1b}[2Jnonsense"), "{error}");
}

#[test]
fn a_host_that_swallows_everything_is_given_up() {
    // An address of a network that is documented not to be there: <https://www.rfc-editor.org/rfc/rfc5737>.
    let begun = Instant::now();
    let (error, _) = refused(open("redis://192.0.2.1"));
    assert!(matches!(error, BrokerError::Unreachable { .. }), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(8));
}

#[test]
fn what_a_server_says_to_anybody_is_no_wrong_password() {
    let said = |answer: &str| said_to(":secret@", format!("-{answer}\r\n").into_bytes());
    assert!(matches!(said("LOADING Redis is loading"), BrokerError::Loading { .. }));
    assert!(matches!(said("MOVED 3999 127.0.0.1:6381"), BrokerError::OtherNode { .. }));
    assert!(matches!(said("BUSY Redis is busy running a script"), BrokerError::Busy { .. }));
    assert!(matches!(said("MASTERDOWN Reconnecting with MASTER is down"), BrokerError::MasterDown { .. }));
    for answer in ["DENIED Redis is running in protected mode", "ERR max number of clients reached"] {
        let error = said(answer);
        let words = answer.split_once(' ').expect("a code and words").1;
        assert!(matches!(&error, BrokerError::Refused { says, .. } if says == words), "{error:?}");
    }
    assert!(matches!(said("WRONGPASS invalid"), BrokerError::PasswordWrong { .. }));
}

/// A server that answers each command by its name, until the client goes.
fn server(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    std::thread::spawn(move || {
        let (client, _) = listener.accept().expect("a client");
        let mut lines = BufReader::new(client.try_clone().expect("a socket")).lines().map_while(Result::ok);
        let mut client = client;
        while let Some(count) = lines.next().and_then(|line| line[1..].parse::<usize>().ok()) {
            let words: Vec<String> = lines.by_ref().take(count * 2).skip(1).step_by(2).collect();
            if client.write_all(&answer(&words[0])).is_err() {
                return;
            }
        }
    });
    port
}

#[test]
fn a_hash_whose_scan_never_ends_is_read_to_twice_its_length() {
    let next = AtomicU64::new(0);
    let port = server(move |command| match command {
        "TIME" => b"*2\r\n$10\r\n1700000000\r\n$1\r\n0\r\n".to_vec(),
        "HLEN" => b":10\r\n".to_vec(),
        "PTTL" => b":-1\r\n".to_vec(),
        "HSCAN" => {
            let first = next.fetch_add(1000, Ordering::Relaxed);
            let field = |field: u64| format!("$8\r\n{field:08}\r\n$2\r\n[]\r\n");
            let fields: String = (first..first + 1000).map(field).collect();
            format!("*2\r\n$1\r\n7\r\n*2000\r\n{fields}").into_bytes()
        }
        other => panic!("{other} is not asked"),
    });
    let mut connection = open(&format!("redis://127.0.0.1:{port}")).expect("it answers");
    let held = vec![FoundKey { key: "unacked".to_owned(), len: 10 }];
    let mut last = None;
    let summary = read(&mut connection, &ReadPlan { held, ..ReadPlan::default() }, &mut |line| {
        last = Some(line.complete);
        ControlFlow::Continue(())
    })
    .expect("it is read");
    assert!((100_000..110_000).contains(&summary.entries), "{summary:?}");
    assert_eq!(last, Some(false));
}

#[test]
fn a_second_ctrl_c_ends_what_waits_for_an_answer() {
    // It drips just fast enough to be waited for.
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let url = format!("redis://:secret@{}", listener.local_addr().expect("it is bound"));
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        let mut more = client.write_all(b"$200000000\r\n");
        while more.is_ok() {
            more = client.write_all(&[b'x'; 16 << 10]);
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let mut child = Command::new(env!("CARGO_BIN_EXE_tracelink"))
        .args(["inspect-queue", "--broker", &url])
        .spawn()
        .expect("tracelink runs");
    std::thread::sleep(Duration::from_secs(1));
    let pid = rustix::process::Pid::from_child(&child);
    let began = Instant::now();
    for _ in 0..2 {
        rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
        std::thread::sleep(Duration::from_millis(100));
    }
    let ended = loop {
        match child.try_wait().expect("it is ours") {
            None if began.elapsed() > Duration::from_secs(5) => {
                child.kill().expect("it runs");
                panic!("it waits on");
            }
            None => std::thread::sleep(Duration::from_millis(20)),
            Some(ended) => break ended,
        }
    };
    assert_eq!(ended.code(), Some(130));
}

/// Once ten seconds went by, and nothing was said.
#[test]
fn a_second_ctrl_c_ends_the_wait_for_the_last_look() {
    let server = RedisServer::start(&[]);
    let mut listening = Listening::start(&["--broker", &server.url(0)]);
    server.pause();
    listening.signal(Signal::INT);
    listening.wait_for("Ctrl-C again ends now");
    let began = Instant::now();
    listening.signal(Signal::INT);
    let report = listening.report();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(report["verdict"]["status"], "no-evidence");
}

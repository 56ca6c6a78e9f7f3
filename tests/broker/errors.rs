//! Each way in which a broker cannot be reached or read has a message of its
//! own, and each way in which Celery writes a URL leads to the broker.

#![allow(clippy::disallowed_methods, reason = "a test measures what it waited")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::server::{RedisServer, free_port};
use redis::{Commands, cmd};
use tracelink::broker::{BrokerError, BrokerUrl, Connection, Survey, survey};

fn open(url: &str) -> Result<Connection, BrokerError> {
    Connection::open(&BrokerUrl::parse(url).unwrap_or_else(|error| panic!("{url}: {error}")))
}

fn look(url: &str, named: &[&str]) -> Result<Survey, BrokerError> {
    let named: Vec<_> = named.iter().map(|&queue| queue.to_owned()).collect();
    survey(&mut open(url)?, &named, &mut |_, _| ControlFlow::Continue(()))
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
    assert!(
        message.contains("to the key `_kombu.binding.celery`") && message.contains("+lrange"),
        "{message}"
    );
    let (error, _) = refused(look(&url, &["orders"]));
    assert!(matches!(error, BrokerError::NoPermission { command: "LLEN", .. }), "{error:?}");
}

#[test]
fn what_is_named_is_no_list() {
    let server = RedisServer::start(&[]);
    server.connection().set::<_, _, ()>("orders", "9").expect("a string");
    let (error, message) = refused(look(&server.url(0), &["orders"]));
    assert!(matches!(error, BrokerError::WrongType { .. }), "{error:?}");
    assert!(message.contains("`orders` is no list"), "{message}");
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

#[test]
fn a_node_of_a_cluster_says_so() {
    let server = RedisServer::start(&["--cluster-enabled", "yes"]);
    let (error, message) = refused(look(&server.url(0), &["orders"]));
    assert!(matches!(error, BrokerError::Cluster { .. }), "{error:?}");
    assert!(message.contains("Redis Cluster"), "{message}");
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

/// What a server that answers everything with `answer` is taken for.
fn taken_for(answer: Vec<u8>) -> BrokerError {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let server = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        let mut question = [0; 1024];
        // The client may have had enough at any point.
        let _ = client.read(&mut question).and_then(|_| client.write_all(&answer));
    });
    let (error, _) = refused(open(&format!("redis://127.0.0.1:{port}")));
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

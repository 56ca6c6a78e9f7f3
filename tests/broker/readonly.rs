//! EvidenceOptions a broker leaves no trace in it: what is said to Redis, by whom it may
//! be said, and what lies in the database before and after.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::server::RedisServer;
use redis::{Commands, cmd};
use tracelink::broker::redis::{
    BrokerUrl, Connection, Discovery, FoundKey, READ_COMMANDS, ReadPlan, ReadSummary, WHERE_ALLOWED,
    discover, read, read_results,
};
use tracelink::wire::snapshot::{KeyContent, KeyLine};

pub const SEPARATOR: &str = "\u{6}\u{16}";

pub fn envelope(id: u32) -> String {
    format!(
        r#"{{"body": "W1tdLCB7fSwge31d", "content-type": "application/json", "content-encoding": "utf-8",
           "headers": {{"lang": "py", "task": "orders.place", "id": "{id}", "argsrepr": "()"}},
           "properties": {{"correlation_id": "{id}", "delivery_tag": "tag-{id}", "body_encoding": "base64",
           "delivery_info": {{"exchange": "", "routing_key": "celery"}}}}}}"#
    )
}

/// A database as Celery leaves it, beside another program's keys.
pub fn fill(server: &RedisServer) {
    let mut redis = server.connection();
    let mut pipe = redis::pipe();
    for exchange in ["celery", "orders"] {
        pipe.sadd(
            format!("_kombu.binding.{exchange}"),
            format!("{exchange}{SEPARATOR}{SEPARATOR}{exchange}"),
        );
    }
    pipe.sadd("_kombu.binding.celery.pidbox", format!("{SEPARATOR}{SEPARATOR}celery@host.celery.pidbox"));
    for id in 0..2500 {
        pipe.lpush("celery", envelope(id));
    }
    for id in 2500..2510 {
        pipe.lpush(format!("celery{SEPARATOR}3"), envelope(id));
        pipe.hset("unacked", format!("tag-{id}"), format!(r#"[{}, "", "celery"]"#, envelope(id)));
        pipe.zadd("unacked_index", format!("tag-{id}"), 1_800_000_000 + id);
    }
    pipe.lpush("unbound", envelope(3000));
    pipe.lpush("rq:queue:default", "4e9d0a2c");
    pipe.set("celery-task-meta-1", r#"{"status": "SUCCESS", "result": null}"#);
    pipe.set_ex("celery-task-meta-2", r#"{"status": "FAILURE"}"#, 86400);
    pipe.set("celery-task-meta-3", "x".repeat(2 << 20));
    for session in 0..3000 {
        pipe.set(format!("session:{session}"), "cache");
    }
    pipe.exec(&mut redis).expect("a fresh server takes all");
}

pub fn open(url: &str) -> Connection {
    let url = BrokerUrl::parse(url).expect("a URL of Celery's");
    Connection::open(&url).unwrap_or_else(|error| panic!("{error}"))
}

fn discover_all(connection: &mut Connection) -> Discovery {
    discover(connection, &[], &mut |_, _| ControlFlow::Continue(())).unwrap_or_else(|error| panic!("{error}"))
}

fn plan(discovery: &Discovery, limit: Option<u64>) -> ReadPlan {
    let queues = discovery.lists.iter().map(|list| vec![list.clone()]).collect();
    ReadPlan {
        queues,
        held: discovery.held.clone(),
        held_since: discovery.held_since.clone(),
        limit,
        all_held: false,
    }
}

fn read_all(connection: &mut Connection, plan: &ReadPlan) -> (Vec<KeyLine<'static>>, ReadSummary) {
    let mut pages = Vec::new();
    let summary = read(connection, plan, &mut |page| {
        pages.push(page);
        ControlFlow::Continue(())
    });
    (pages, summary.unwrap_or_else(|error| panic!("{error}")))
}

/// Everything that tracelink does to a broker.
pub fn do_everything(url: &str) -> (Discovery, Vec<KeyLine<'static>>) {
    let mut connection = open(url);
    let discovery = discover_all(&mut connection);
    let (mut lines, _) = read_all(&mut connection, &plan(&discovery, None));
    let ids = ["0", "1", "2", "3"];
    read_results(&mut connection, "", ids, &mut |line| {
        lines.push(line);
        ControlFlow::Continue(())
    })
    .unwrap_or_else(|error| panic!("{error}"));
    (discovery, lines)
}

#[test]
fn everything_that_matters_is_found_and_read() {
    let server = RedisServer::start(&[]);
    fill(&server);
    let (discovery, lines) = do_everything(&server.url(0));
    let names: Vec<_> = discovery.lists.iter().map(|list| list.key.as_str()).collect();
    assert_eq!(names, ["celery", &format!("celery{SEPARATOR}3"), "unbound"]);
    assert_eq!((discovery.foreign_lists, discovery.bindings.len(), discovery.complete), (1, 3, true));

    let mut entries = BTreeMap::<String, usize>::new();
    for line in &lines {
        let key = String::from_utf8_lossy(&line.key).into_owned();
        assert!(line.complete, "{key}");
        *entries.entry(key).or_default() += line.content.len();
    }
    let priority = format!("celery{SEPARATOR}3");
    let expected = [
        ("celery", 2500),
        ("celery-task-meta-1", 1),
        ("celery-task-meta-2", 1),
        (&priority, 10),
        ("unacked", 10),
        ("unacked_index", 10),
        ("unbound", 1),
    ];
    assert_eq!(entries, expected.map(|(key, count)| (key.to_owned(), count)).into());
    assert!(discovery.at.to_string().starts_with("20"), "Redis says what time it is: {}", discovery.at);
}

#[test]
fn a_limit_is_of_a_queue_and_takes_what_comes_out_next() {
    let server = RedisServer::start(&[]);
    fill(&server);
    let mut connection = open(&server.url(0));
    let discovery = discover_all(&mut connection);
    let lists: Vec<FoundKey> = discovery.lists.into_iter().take(2).collect();
    let plan = ReadPlan { queues: vec![lists], limit: Some(2505), ..ReadPlan::default() };
    let (pages, summary) = read_all(&mut connection, &plan);
    assert_eq!((summary.entries, plan.entries()), (2505, 2505));
    let next = pages.first().expect("there is a page");
    let KeyContent::List(entries) = &next.content else { panic!("{next:?}") };
    assert_eq!(entries.last().map(|entry| entry.to_vec()), Some(envelope(0).into_bytes()));
    assert_eq!(next.from + entries.len() as u64, 2500);
    let last = pages.last().expect("there is a page");
    assert_eq!((last.content.len(), last.from, last.len, last.complete), (5, 5, Some(10), false));
}

#[test]
fn an_acl_without_writing_suffices() {
    let server = RedisServer::start(&[]);
    fill(&server);
    let mut redis = server.connection();
    let exact = READ_COMMANDS.map(|command| format!("+{}", command.to_ascii_lowercase()));
    let users = [
        ("exact", exact.to_vec()),
        ("reader", ["-@all", "+@read", "+@connection", "-@write"].map(str::to_owned).to_vec()),
    ];
    let everything = do_everything(&server.url(0));
    for (user, rules) in users {
        let mut command = cmd("ACL");
        command.arg("SETUSER").arg(user).arg(&["on", ">p@ss:word", "~*"]).arg(rules);
        command.exec(&mut redis).expect("the rules are valid");
        let url = format!("redis://{user}:p%40ss%3Aword@127.0.0.1:{}/0", server.port);
        let (discovery, lines) = do_everything(&url);
        assert_eq!(discovery.lists, everything.0.lists, "{user}");
        assert_eq!(lines.len(), everything.1.len(), "{user}");
    }
}

#[test]
fn no_command_of_the_list_may_write() {
    let server = RedisServer::start(&[]);
    let mut redis = server.connection();
    let in_category = |category: &str, redis: &mut redis::Connection| -> BTreeSet<String> {
        let commands: Vec<String> = cmd("ACL").arg(&["CAT", category]).query(redis).expect("a category");
        commands.iter().map(|command| command.to_ascii_uppercase()).collect()
    };
    for category in ["write", "admin", "blocking", "scripting"] {
        assert!(!in_category(category, &mut redis).contains(WHERE_ALLOWED[0]), "it is in @{category}");
    }
    for category in ["write", "dangerous", "admin", "blocking", "scripting"] {
        let commands: Vec<String> = cmd("ACL").arg(&["CAT", category]).query(&mut redis).expect("a category");
        let commands: BTreeSet<_> = commands.iter().map(|command| command.to_ascii_uppercase()).collect();
        for command in READ_COMMANDS {
            assert!(!commands.contains(command), "{command} is in @{category}");
        }
    }
}

/// What `MONITOR` shows: the commands that reach the server, by their first word.
pub fn monitored(server: &RedisServer, work: impl FnOnce()) -> BTreeSet<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
    stream.write_all(b"MONITOR\r\n").expect("it listens");
    let mut lines = BufReader::new(stream).lines().map(|line| line.expect("MONITOR goes on"));
    assert_eq!(lines.next().as_deref(), Some("+OK"));
    work();
    let mut redis = server.connection();
    cmd("ECHO").arg("the end").exec(&mut redis).expect("it listens");
    lines
        .filter_map(|line| line.split('"').nth(1).map(str::to_ascii_uppercase))
        .take_while(|command| command != "ECHO")
        .filter(|command| command != "CLIENT")
        .collect()
}

#[test]
fn monitor_sees_nothing_but_the_list() {
    let server = RedisServer::start(&[]);
    fill(&server);
    let said = monitored(&server, || drop(do_everything(&server.url(0))));
    assert_eq!(said, READ_COMMANDS.map(str::to_owned).into());
}

#[test]
fn a_connection_says_only_what_logs_it_in() {
    let server = RedisServer::start(&["--requirepass", "secret"]);
    let url = BrokerUrl::parse(&format!("redis://:secret@127.0.0.1:{}/3", server.port)).expect("valid");
    // `MONITOR` does not show `AUTH`; the server counts it.
    drop(Connection::open(&url).unwrap_or_else(|error| panic!("{error}")));
    let client = redis::Client::open(format!("redis://:secret@127.0.0.1:{}/0", server.port)).expect("valid");
    let info = redis::RedisConnectionInfo::default().set_skip_set_lib_name().set_password("secret");
    let info = client.get_connection_info().clone().set_redis_settings(info);
    let client = redis::Client::open(info).expect("valid");
    let mut redis = client.get_connection().expect("it listens");
    let stats: String = cmd("INFO").arg("commandstats").query(&mut redis).expect("it counts");
    let counted = stats.lines().filter_map(|line| line.strip_prefix("cmdstat_"));
    let counted: Vec<_> = counted.filter_map(|line| line.split(',').next()).collect();
    let expected = BTreeSet::from(["auth:calls=2", "select:calls=1", "time:calls=1"]);
    assert_eq!(counted.into_iter().collect::<BTreeSet<_>>(), expected);
}

/// Every key with its value as Redis would save it, and when it expires.
pub fn dump(redis: &mut redis::Connection) -> BTreeMap<String, (Vec<u8>, i64)> {
    let keys: Vec<String> = redis.keys("*").expect("keys");
    let value = |redis: &mut redis::Connection, key: &str| {
        let dump = cmd("DUMP").arg(key).query(redis).expect("the key is there");
        let expires = cmd("PEXPIRETIME").arg(key).query(redis).expect("the key is there");
        (dump, expires)
    };
    keys.into_iter().map(|key| (key.clone(), value(redis, &key))).collect()
}

#[test]
fn what_lies_there_is_the_same_before_and_after() {
    let server = RedisServer::start(&[]);
    fill(&server);
    let mut redis = server.connection();
    let before = dump(&mut redis);
    do_everything(&server.url(0));
    assert_eq!(dump(&mut redis), before);
}

#[test]
fn a_list_that_moves_is_read_once() {
    let server = RedisServer::start(&[]);
    let mut redis = server.connection();
    let mut pipe = redis::pipe();
    for id in 0..30_000 {
        pipe.lpush("celery", envelope(id));
    }
    pipe.exec(&mut redis).expect("a fresh server takes all");

    let mut connection = open(&server.url(0));
    let queues = vec![vec![FoundKey { key: "celery".to_owned(), len: 30_000 }]];
    let (mut entries, mut pages, mut next, mut taken) = (Vec::new(), 0, 30_000, 0);
    let plan = ReadPlan { queues, ..ReadPlan::default() };
    let summary = read(&mut connection, &plan, &mut |page| {
        let KeyContent::List(page) = page.content else { panic!("{page:?}") };
        entries.extend(page.into_iter().rev());
        // Between two pages, and while others are on their way, the list moves: by
        // a number of the test's own, and not by how busy the machine is. What has
        // not been read stays.
        pages += 1;
        let mut pipe = redis::pipe();
        for _ in 0..(pages * 37 % 100).min((entries.len() - taken) / 2) {
            taken += 2;
            pipe.lpush("celery", envelope(next)).rpop("celery", None).rpop("celery", None);
            next += 1;
        }
        pipe.exec(&mut redis).expect("it listens");
        ControlFlow::Continue(())
    });
    let summary = summary.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(summary.moved, ["celery"]);
    let ids: Vec<u64> = entries.iter().map(|entry| id_of(entry)).collect();
    // Nothing comes twice, and nothing is missed that was there all along.
    assert!(ids.windows(2).all(|pair| pair[0] + 1 == pair[1]), "each once and in order");
    assert_eq!(ids.len() as u64, summary.entries);
}

fn id_of(entry: &[u8]) -> u64 {
    let envelope: serde_json::Value = serde_json::from_slice(entry).expect("we made it");
    envelope["headers"]["id"].as_str().and_then(|id| id.parse().ok()).expect("we made it")
}

#[test]
fn reading_is_broken_off_and_the_connection_goes_on() {
    let server = RedisServer::start(&[]);
    fill(&server);
    let mut connection = open(&server.url(0));
    let discovery = discover_all(&mut connection);
    let mut pages = 0;
    let summary = read(&mut connection, &plan(&discovery, None), &mut |_| {
        pages += 1;
        ControlFlow::Break(())
    });
    assert!(summary.expect("no error").stopped);
    assert_eq!(pages, 1);
    assert_eq!(discover_all(&mut connection).lists, discovery.lists);
}

#[test]
fn only_the_demo_names_the_driver() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    // Our reader of replies is compared with it, in tests and by a fuzzer.
    let allowed = ["broker/redis/connection/resp/tests.rs", "fuzzing/resp.rs"];
    let naming: Vec<_> = sources(&src)
        .into_iter()
        .filter(|path| {
            let source = fs::read_to_string(path).expect("a source file");
            // The project's own room is called like the driver.
            source.replace("broker::redis::", "").contains("redis::")
        })
        .map(|path| path.strip_prefix(&src).expect("it lies there").display().to_string())
        // The demo plays the application, which publishes and consumes.
        .filter(|path| !path.starts_with("demo/"))
        .collect();
    assert_eq!(naming, allowed);
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let (folders, mut files): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| path.is_dir());
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.extend(folders.iter().flat_map(|folder| sources(folder)));
    files.sort();
    files
}

//! Nodes of a Redis Cluster. Celery's transport speaks to one node, so what tracelink
//! reads there is a part of what may be, and it says so.

#![allow(clippy::disallowed_methods, reason = "a test waits for a real server")]

use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use redis::{FromRedisValue, RedisResult, cmd};
use rustix::process::Signal;
use serde_json::Value;
use tracelink::broker::redis::{BrokerError, Connection, Discovery, READ_COMMANDS, discover, read_results};

use crate::listening::Listening;
use crate::readonly::{SEPARATOR, do_everything, dump, envelope, fill, monitored, open};
use crate::server::{RedisServer, free_port};
use crate::valkey;

/// A node that has no slots yet.
fn node_of(program: &Path) -> (RedisServer, String) {
    // Its bus would be at a port that may not be there: 10,000 above.
    let bus = free_port().to_string();
    let arguments =
        ["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-port", &bus];
    (RedisServer::start_of(program, &arguments), bus)
}

fn say<T: FromRedisValue>(server: &RedisServer, words: &[&str]) -> RedisResult<T> {
    cmd(words[0]).arg(&words[1..]).query(&mut server.connection())
}

fn wait_until_it_is_up(server: &RedisServer) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let state: String = say(server, &["CLUSTER", "INFO"]).expect("it says it");
        if state.contains("cluster_state:ok") {
            return;
        }
        assert!(Instant::now() < deadline, "{state}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A cluster of one node, which has all slots.
fn alone(program: &Path) -> RedisServer {
    let (node, _) = node_of(program);
    say::<()>(&node, &["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).expect("they are free");
    wait_until_it_is_up(&node);
    node
}

/// A cluster of two nodes with half of the slots each.
fn two() -> [RedisServer; 2] {
    let program = Path::new("redis-server");
    let ((one, _), (other, bus)) = (node_of(program), node_of(program));
    say::<()>(&one, &["CLUSTER", "ADDSLOTSRANGE", "0", "8191"]).expect("they are free");
    say::<()>(&other, &["CLUSTER", "ADDSLOTSRANGE", "8192", "16383"]).expect("they are free");
    say::<()>(&one, &["CLUSTER", "MEET", "127.0.0.1", &other.port.to_string(), &bus]).expect("they meet");
    wait_until_it_is_up(&one);
    wait_until_it_is_up(&other);
    [one, other]
}

/// Writes to whichever node has the key, and says which one that is.
fn write(nodes: &[RedisServer; 2], words: &[&str]) -> usize {
    let wrote = nodes.iter().position(|node| say::<redis::Value>(node, words).is_ok());
    wrote.unwrap_or_else(|| panic!("no node takes {words:?}"))
}

/// What Celery leaves there with this `global_keyprefix`: in one place, where the prefix
/// has a hash tag. Says in which.
fn publish(nodes: &[RedisServer; 2], prefix: &str) -> usize {
    let binding = format!("celery{SEPARATOR}{SEPARATOR}celery");
    write(nodes, &["SADD", &format!("{prefix}_kombu.binding.celery"), &binding]);
    let held = format!(r#"[{}, "", "celery"]"#, envelope(2));
    write(nodes, &["HSET", &format!("{prefix}unacked"), "tag", &held]);
    write(nodes, &["LPUSH", &format!("{prefix}celery"), &envelope(1)])
}

fn tracelink(arguments: &[&str]) -> (Output, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_tracelink")).args(arguments).output().expect("tracelink runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, said)
}

/// The report of `inspect-queue`, and what it says besides.
fn inspect(url: &str, arguments: &[&str]) -> (Value, String, Option<i32>) {
    let (output, said) =
        tracelink(&[&["inspect-queue", "--format", "json", "--broker", url], arguments].concat());
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no report: {said}"));
    (report, said, output.status.code())
}

fn look(url: &str) -> Result<Discovery, BrokerError> {
    discover(&mut open(url), &[], &mut |_, _| ControlFlow::Continue(()))
}

fn unproven(report: &Value) -> Vec<&str> {
    let gaps = report["verdict"]["unproven"].as_array().map(Vec::as_slice).unwrap_or_default();
    gaps.iter().filter_map(|gap| gap["reason"].as_str()).collect()
}

#[test]
fn the_only_node_of_a_cluster_is_read_as_any_server_and_not_taken_for_all() {
    let redis = RedisServer::start(&[]);
    fill(&redis);
    let (expected, expected_lines) = do_everything(&redis.url(0));
    for program in [Path::new("redis-server"), &valkey::program()] {
        let node = alone(program);
        fill(&node);
        let mut connection = node.connection();
        let before = dump(&mut connection);
        let mut seen = None;
        let said = monitored(&node, || seen = Some(do_everything(&node.url(0))));
        let (discovery, lines) = seen.expect("it was read");
        assert_eq!(discovery.lists, expected.lists);
        assert_eq!(
            (discovery.complete, discovery.is_cluster_node),
            (false, true),
            "other nodes may hold some"
        );
        let keys = |lines: &[tracelink::wire::snapshot::KeyLine<'_>]| {
            lines.iter().map(|line| (line.key.to_vec(), line.len)).collect::<Vec<_>>()
        };
        // Results too, which a node gives one by one.
        assert_eq!(keys(&lines), keys(&expected_lines));
        // Only reading.
        assert_eq!(said, READ_COMMANDS.map(str::to_owned).into());
        assert_eq!(dump(&mut connection), before);

        let (report, said, _) = inspect(&node.url(0), &[]);
        assert!(
            said.contains("is a node of a Redis Cluster: keys on its other nodes are not seen"),
            "{said}"
        );
        assert_ne!(report["verdict"]["status"], "healthy");
        assert!(unproven(&report).contains(&"look-ended-early"), "{}", report["verdict"]);
    }
}

#[test]
fn a_cluster_has_one_database() {
    let node = alone(Path::new("redis-server"));
    let (output, said) = tracelink(&["inspect-queue", "--broker", &node.url(1)]);
    assert!(said.contains("no database but 0"), "{said}");
    assert_eq!(output.status.code(), Some(4));
}

#[test]
fn a_node_without_its_slots_says_that_the_cluster_is_down() {
    let (node, _) = node_of(Path::new("redis-server"));
    for arguments in [&["inspect-queue"][..], &["inspect-queue", "orders"], &["listen", "--for", "1s"]] {
        let (output, said) = tracelink(&[arguments, &["--broker", &node.url(0)]].concat());
        assert!(said.contains("belongs to a Redis Cluster that is down"), "{arguments:?}: {said}");
        assert_eq!(output.status.code(), Some(4), "{arguments:?}: {said}");
    }
}

/// With a hash tag in `global_keyprefix` all of Celery's keys lie on one node, and Celery
/// works there: <https://github.com/celery/celery/issues/8276>.
#[test]
fn of_two_nodes_the_one_that_celery_uses_is_read_and_the_other_names_it() {
    let nodes = two();
    let used = publish(&nodes, "{queue}:");
    let (here, there) = (&nodes[used], &nodes[1 - used]);
    let before = nodes.each_ref().map(|node| dump(&mut node.connection()));

    let (report, said, code) = inspect(&here.url(0), &[]);
    assert!(said.contains("is a node of a Redis Cluster"), "{said}");
    // What is seen is judged: these messages carry no context.
    assert_eq!((code, &report["inputs"]["messages"]), (Some(1), &Value::from(2)), "{}", report["inputs"]);
    assert_ne!(report["verdict"]["status"], "healthy");
    assert!(unproven(&report).contains(&"look-ended-early"), "{}", report["verdict"]);

    // Of the other one nothing is said but that.
    let Err(error) = look(&there.url(0)) else { panic!("nothing of Celery's is there") };
    assert!(matches!(error, BrokerError::NotOnThisNode { keys: 0, .. }), "{error:?}");
    let other = format!("such as 127.0.0.1:{}", here.port);
    assert!(error.to_string().contains(&other), "{error}");
    for arguments in [&[][..], &["--all"], &["--limit", "1"]] {
        let (output, said) = tracelink(&[&["inspect-queue", "--broker", &there.url(0)], arguments].concat());
        assert!(said.contains("keys is a Celery broker's") && said.contains(&other), "{said}");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(4), 0), "{said}");
    }
    let (output, said) = tracelink(&["inspect-queue", "--broker", &there.url(0), "{queue}:celery"]);
    let named = format!("the key `{{queue}}:celery` lies on another node, 127.0.0.1:{}", here.port);
    assert!(said.contains(&named), "{said}");
    assert_eq!(output.status.code(), Some(4));
    // Only reading.
    assert_eq!(nodes.each_ref().map(|node| dump(&mut node.connection())), before);
}

/// Without one they are spread, and some are anywhere.
#[test]
fn what_lies_on_another_node_is_not_taken_for_absent() {
    let nodes = two();
    publish(&nodes, "");
    let queues = ["a", "b", "c", "d", "e", "f"];
    for queue in queues {
        let member = format!("{queue}{SEPARATOR}{SEPARATOR}{queue}");
        write(&nodes, &["SADD", &format!("_kombu.binding.{queue}"), &member]);
        write(&nodes, &["LPUSH", queue, &envelope(7)]);
    }
    let mut found = Vec::new();
    for node in &nodes {
        let discovery = look(&node.url(0)).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((discovery.complete, discovery.is_cluster_node), (false, true));
        found.extend(discovery.lists.into_iter().map(|list| list.key));
        for arguments in [&[][..], &["--all"]] {
            let (report, said, _) = inspect(&node.url(0), arguments);
            assert!(said.contains("is a node of a Redis Cluster"), "{said}");
            assert_ne!(report["verdict"]["status"], "healthy");
            assert!(unproven(&report).contains(&"look-ended-early"), "{}", report["verdict"]);
        }
    }
    found.sort();
    assert_eq!(found, ["a", "b", "c", "celery", "d", "e", "f"], "each on one node");
}

#[test]
fn results_on_other_nodes_are_none() {
    let nodes = two();
    let ids: Vec<String> = (0..20).map(|id| id.to_string()).collect();
    for id in &ids {
        write(&nodes, &["SET", &format!("celery-task-meta-{id}"), r#"{"status": "SUCCESS"}"#]);
    }
    let results = |connection: &mut Connection| {
        let mut count = 0;
        let read = read_results(connection, "", ids.iter().map(String::as_str), &mut |_| {
            count += 1;
            ControlFlow::Continue(())
        });
        read.map_or_else(|error| panic!("{error}"), |_| count)
    };
    let read = nodes.each_ref().map(|node| results(&mut open(&node.url(0))));
    assert!(read[0] > 0 && read[1] > 0 && read[0] + read[1] == 20, "{read:?}");
}

#[test]
fn listening_beside_a_node_says_so_and_concludes_nothing_from_what_is_not_there() {
    let nodes = two();
    let used = publish(&nodes, "{queue}:");
    for (node, messages) in [(&nodes[used], 2), (&nodes[1 - used], 0)] {
        let arguments = ["--broker", &node.url(0), "--broker-monitor", "--result-backend", &node.url(0)];
        let mut listening = Listening::start(&arguments);
        listening.wait_for("is a node of a Redis Cluster: keys on its other nodes are not seen");
        std::thread::sleep(Duration::from_millis(600));
        listening.signal(Signal::TERM);
        let report = listening.report();
        assert_eq!(report["inputs"]["messages"], messages, "{}", report["inputs"]);
        assert_ne!(report["verdict"]["status"], "healthy", "{}", report["verdict"]);
        assert_eq!(report["limits"]["messages_not_seen"], 0, "{}", report["limits"]);
    }
}

//! `inspect-queue` as its users run it: what it counts, lists and names.

use serde_json::Value;

use super::{assert_valid, root, schema, stderr, stdout, tracelink};

/// A snapshot of so many queues with as many messages each, all without a context.
fn without_context(queues: usize, each: usize) -> tempfile::NamedTempFile {
    let mut lines = vec![serde_json::json!({
        "snapshot": "broker/1", "captured_at": "2026-11-28T10:00:00Z", "broker": "redis:6379/0", "complete": true,
    })];
    for queue in 0..queues {
        let message = |number: usize| {
            let id = format!("q{queue:04}-order-{number:04}");
            let headers = serde_json::json!({
                "lang": "py", "task": "process_order", "id": id, "root_id": id, "parent_id": null, "retries": 0,
                "origin": "gen7@web-1", "argsrepr": "()", "kwargsrepr": "{}",
            });
            let properties = serde_json::json!({
                "correlation_id": id, "delivery_mode": 2, "delivery_tag": id, "body_encoding": "base64",
                "delivery_info": {"exchange": "", "routing_key": format!("q{queue:04}")}, "priority": 0,
            });
            serde_json::json!({
                "body": "W1tdLCB7fSwge31d", "content-encoding": "utf-8", "content-type": "application/json",
                "headers": headers, "properties": properties,
            })
            .to_string()
        };
        let messages: Vec<_> = (0..each).map(message).collect();
        lines.push(serde_json::json!({
            "db": 0, "key": format!("q{queue:04}"), "type": "list", "pttl": -1, "len": each, "entries": messages,
        }));
    }
    let file = tempfile::Builder::new().suffix(".jsonl").tempfile().expect("a file");
    let lines: Vec<_> = lines.iter().map(Value::to_string).collect();
    std::fs::write(file.path(), lines.join("\n")).expect("writable");
    file
}

#[test]
fn every_message_is_counted_however_few_are_listed() {
    for (queues, each) in [(3, 60), (1_000, 1)] {
        let file = without_context(queues, each);
        let path = file.path().to_str().expect("UTF-8");
        let all = (queues * each) as u64;
        // Counted by class, and kept one by one.
        for command in [&["inspect-queue", "--snapshot", path][..], &["diagnose", path]] {
            let output = tracelink(&[command, &["--format", "json"]].concat());
            let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
            assert_eq!(report["inputs"]["messages"], all, "{}", stderr(&output));
            let counts = report["tasks"][0]["findings"].as_object().expect("counts").values();
            assert_eq!(
                counts.filter_map(Value::as_u64).sum::<u64>(),
                all,
                "{command:?}: {}",
                report["tasks"]
            );
        }
        let text = stdout(&tracelink(&["inspect-queue", "--snapshot", path]));
        let row = text.lines().find(|line| line.trim_start().starts_with("process_order")).expect("a row");
        let all = tracelink::report::text::count(all);
        assert!(row.contains(&format!("✗ {all}")) && !row.contains('✓'), "{text}");
        assert!(text.contains(&format!("1 cause in {all} of {all} messages")), "{text}");
    }
}

/// A snapshot in which `orders` is bound and holds a message, `mail` is bound and
/// holds none, and a worker holds one of `billing`.
fn three_queues() -> tempfile::NamedTempFile {
    let file = without_context(1, 1);
    let text = std::fs::read_to_string(file.path()).expect("readable");
    let mut lines: Vec<String> = text.lines().map(|line| line.replace("q0000", "orders")).collect();
    let message: Value = serde_json::from_str(&lines[1]).expect("JSON");
    let held = message["entries"][0].as_str().expect("a message").replace("orders", "billing");
    let held: Value = serde_json::from_str(&held).expect("JSON");
    lines.push(
        serde_json::json!({"db": 0, "key": "unacked", "type": "hash", "pttl": -1,
            "entries": {"tag": serde_json::json!([held, "", "billing"]).to_string()}})
        .to_string(),
    );
    let bound = |queue: &str| {
        serde_json::json!({"db": 0, "key": format!("_kombu.binding.{queue}"), "type": "set", "pttl": -1,
            "entries": [format!("{queue}\u{6}\u{16}\u{6}\u{16}{queue}")]})
        .to_string()
    };
    lines.extend(["orders", "mail"].map(bound));
    std::fs::write(file.path(), lines.join("\n")).expect("writable");
    file
}

#[test]
fn a_named_queue_is_shown_alone() {
    let file = three_queues();
    let path = file.path().to_str().expect("UTF-8");
    let inspect = |queues: &[&str]| {
        let output =
            tracelink(&[&["inspect-queue", "--snapshot", path, "--format", "json"], queues].concat());
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_valid(&schema(), &report, "a named queue");
        let queues = report["queues"].as_array().expect("queues");
        let names: Vec<_> =
            queues.iter().map(|queue| queue["name"].as_str().unwrap_or_default().to_owned()).collect();
        (names, report["inputs"]["messages"].as_u64(), output.status.code(), stderr(&output))
    };
    let found = |names: &[&str], messages, code| {
        (
            names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(),
            Some(messages),
            Some(code),
            String::new(),
        )
    };
    assert_eq!(inspect(&[]), found(&["billing", "mail", "orders"], 2, 1));
    assert_eq!(inspect(&["orders"]), found(&["orders"], 1, 1));
    // What a worker holds is there too, and so is a queue that is empty.
    assert_eq!(inspect(&["billing"]), found(&["billing"], 1, 1));
    assert_eq!(inspect(&["mail"]), found(&["mail"], 0, 0));
    let (names, messages, code, told) = inspect(&["oders"]);
    assert_eq!((names.len(), messages, code), (0, Some(0), Some(3)));
    assert!(
        told.contains("`oders` is neither a list nor bound") && told.contains("did you mean `orders`"),
        "{told}"
    );
    let (.., told) = inspect(&["xyz"]);
    assert!(told.contains("there are `billing`, `mail`, `orders`"), "{told}");
    // One that is there is judged all the same.
    assert_eq!(inspect(&["oders", "orders"]).2, Some(1));
    let text = stdout(&tracelink(&["inspect-queue", "--snapshot", path, "oders"]));
    assert!(text.contains("no evidence: no such queue is there       exit 3"), "{text}");
}

#[test]
fn a_url_in_the_place_of_a_queue_is_told() {
    let output = tracelink(&["inspect-queue", "redis://:secret@host/3"]);
    assert_eq!(output.status.code(), Some(2));
    let told = stderr(&output);
    assert!(told.contains("--broker 'redis://:***@host:6379/3'") && !told.contains("secret"), "{told}");
    let output = tracelink(&["inspect-queue", "http://secret@"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("--broker") && !stderr(&output).contains("secret"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_thousand_queues_are_a_summary() {
    let file = without_context(1_000, 1);
    let output = tracelink(&["inspect-queue", "--snapshot", file.path().to_str().expect("UTF-8")]);
    let text = stdout(&output);
    assert!(text.lines().count() < 60, "{text}");
    assert!(text.contains("1\u{a0}000 queues, 1\u{a0}000 ready"), "{text}");
    assert!(text.contains("… and 990 more queues: 990 ready"), "{text}");
}

/// A place that a quote names leads to something: a message of a list by its index,
/// and a key in it.
#[test]
fn a_quoted_path_leads_to_a_key_that_is_there() {
    let mut followed = 0;
    for entry in std::fs::read_dir(root().join("fixtures/corpus")).expect("the corpus") {
        let file = entry.expect("readable").path().join("redis.queued.jsonl");
        let Ok(snapshot) = std::fs::read_to_string(&file) else { continue };
        let output =
            tracelink(&["inspect-queue", "--snapshot", file.to_str().expect("UTF-8"), "--format", "json"]);
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let quotes = report["findings"].as_array().expect("findings").iter();
        for quote in quotes.flat_map(|finding| finding["evidence"].as_array().expect("quotes")) {
            let at = quote["at"].as_str().expect("a place");
            let Some((list, rest)) = at.split_once('[') else { continue };
            let (index, path) = rest.split_once(']').expect("an index");
            let message = message_at(&snapshot, list, index.parse().expect("a number"));
            let mut place = message.unwrap_or_else(|| panic!("{}: no message at {at}", file.display()));
            let mut names = path.split('.').skip(1);
            // The body is opened in the test of bodies; its first part is a key.
            if path.starts_with(".body") {
                names = ".body".split('.').skip(1);
            }
            for name in names {
                if let Value::String(text) = &place {
                    let Ok(opened) = serde_json::from_str(text) else {
                        // Such as the `repr` of a Python dict.
                        assert!(text.contains(name), "{}: no `{name}` of {at} in {text}", file.display());
                        break;
                    };
                    place = opened;
                }
                assert!(place.get(name).is_some(), "{}: `{name}` of {at} is not there", file.display());
                place = place[name].clone();
            }
            followed += 1;
        }
    }
    assert!(followed > 60, "{followed}");
}

/// The message of that index in a list of a snapshot.
fn message_at(snapshot: &str, list: &str, index: usize) -> Option<Value> {
    let lines = snapshot.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let entries =
        lines.filter(|line| line["key"] == list).find_map(|line| line["entries"].as_array().cloned())?;
    serde_json::from_str(entries.get(index)?.as_str()?).ok()
}

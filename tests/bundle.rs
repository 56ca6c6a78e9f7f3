//! Bundles that were damaged, or made to do harm: what cannot be read is named,
//! and nothing else is lost with it.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// A request of one span; `number` makes it another one.
fn request(number: u8) -> String {
    format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"4bf92f3577b34da6a3ce929d0e0e47{number:02x}","spanId":"00f067aa0ba902b7","name":"GET /","kind":2,"startTimeUnixNano":"5","endTimeUnixNano":"9"}}]}}]}}]}}"#
    )
}

const HEAD: &str = r#"{"snapshot": "broker/1", "captured_at": "2026-11-22T19:49:57Z"}"#;

const KEY: &str = r#"{"key": "celery", "type": "list", "entries": ["{\"body\": \"\", \"headers\": {\"id\": \"a\", \"task\": \"send\"}, \"properties\": {}}"]}"#;

fn diagnose(path: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tracelink"))
        .args(["diagnose", "--format", "json"])
        .arg(path)
        .output()
        .expect("tracelink runs")
}

/// The inputs of a report, and what was said beside it.
fn read(path: &Path) -> (Value, String) {
    let output = diagnose(path);
    let told = String::from_utf8(output.stderr).expect("UTF-8");
    let mut report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{told}"));
    (report["inputs"].take(), told)
}

#[test]
fn what_cannot_be_read_of_a_folder_is_named_and_the_rest_is_read() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| dir.path().join(name);
    let write = |name: &str, bytes: &[u8]| fs::write(path(name), bytes).expect("the folder is ours");
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    write("spans.jsonl", format!("\u{feff}{}\r\n{}\r\n", request(1), request(2)).as_bytes());
    write("redis.1.jsonl", format!("\u{feff}{HEAD}\r\n{KEY}\r\n").as_bytes());
    write("powershell.jsonl", &[&[0xff, 0xfe], &utf16(&request(3))[..]].concat());
    write("headless.jsonl", &utf16(&request(3)));
    write("zipped.jsonl", b"\x1f\x8b\x08");
    write("old.jsonl.gz", b"\x1f\x8b\x08");
    write("zeros.jsonl", &[0; 5_000]);
    symlink("loop.jsonl", path("loop.jsonl")).expect("the folder is ours");
    symlink("/dev/zero", path("endless.jsonl")).expect("the folder is ours");
    // Opens, and cannot be read.
    symlink("/proc/self/mem", path("memory.jsonl")).expect("the folder is ours");
    fs::create_dir(path("folder.jsonl")).expect("the folder is ours");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        path("pipe.jsonl"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .expect("the folder is ours");

    let (inputs, told) = read(dir.path());
    assert_eq!((&inputs["spans"], &inputs["messages"]), (&2.into(), &1.into()), "{told}");
    for (name, why) in [
        ("powershell.jsonl", "UTF-16"),
        ("headless.jsonl", "UTF-16"),
        ("zipped.jsonl", "broken gzip"),
        ("old.jsonl.gz", "broken gzip"),
        ("zeros.jsonl", "neither a broker snapshot nor spans"),
        ("loop.jsonl", "no file"),
        ("endless.jsonl", "no file"),
        ("memory.jsonl", "cannot be read"),
        ("folder.jsonl", "no file"),
        ("pipe.jsonl", "no file"),
    ] {
        let line = told.lines().find(|line| line.contains(name));
        assert!(line.is_some_and(|line| line.contains(why)), "{name}: {told}");
    }
}

#[test]
fn a_folder_of_which_nothing_can_be_read_says_why() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    fs::write(dir.path().join("spans.jsonl.gz"), b"PK\x03\x04").expect("the folder is ours");
    let output = diagnose(dir.path());
    let told = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(4));
    assert!(told.contains("spans.jsonl.gz: neither a broker snapshot nor spans"), "{told}");
}

#[test]
fn a_first_line_that_is_broken_takes_no_other_with_it() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("spans.jsonl");
    // As a receiver leaves it that was killed, and begun again.
    let cut = &request(1)[..70];
    fs::write(&path, format!("{cut}\n{}\n{}\n", request(2), request(3))).expect("the folder is ours");
    let (inputs, told) = read(&path);
    assert_eq!(inputs["spans"], 2, "{told}");
    assert!(told.contains("spans.jsonl:1: broken JSON"), "{told}");
}

/// Begins a line with `start`, and lets it go on for 600 MiB, which take no disk.
fn long_line(path: &Path, before: &str, start: &str, after: &str) {
    let mut file = File::create(path).expect("the folder is ours");
    write!(file, "{before}{start}").expect("the folder is ours");
    file.set_len(600 << 20).expect("a hole");
    let mut file = OpenOptions::new().append(true).open(path).expect("it is there");
    write!(file, "\n{after}\n").expect("the folder is ours");
}

#[test]
fn a_line_that_is_too_long_is_named_and_the_rest_is_read() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let spans = dir.path().join("spans.jsonl");
    long_line(&spans, "", "{\"resourceSpans\":[", &request(2));
    let snapshot = dir.path().join("redis.jsonl");
    long_line(&snapshot, &format!("{HEAD}\n"), "{\"key\": \"", KEY);
    let log = dir.path().join("receiver.jsonl");
    long_line(&log, "", "{\"outcome\": \"", "{\"outcome\": \"zipkin\"}");
    let (inputs, told) = read(dir.path());
    assert_eq!(
        (&inputs["spans"], &inputs["messages"], &inputs["requests"]),
        (&1.into(), &1.into(), &1.into())
    );
    // Spans are read while they come, so that theirs is named by what is wrong with it.
    for (place, what) in [
        ("spans.jsonl:1: ", "broken JSON: expected value at column 19"),
        ("redis.jsonl:2: ", "more than 304 MiB"),
        ("receiver.jsonl:1: ", "more than 304 MiB"),
    ] {
        let line = told.lines().find(|line| line.contains(place));
        assert!(line.is_some_and(|line| line.contains(what)), "{place}: {told}");
    }
}

/// Whatever a survey sees of a message it sees in what is saved of it.
#[test]
fn what_is_saved_of_a_message_has_all_that_is_seen_of_it() {
    use tracelink::model::{Message, MessageState};
    use tracelink::wire::celery::{Envelope, QueuePosition, ReadOptions, read_message, redact_message};
    use tracelink::wire::snapshot::{KeyContent, read_key};

    let read = |entry: &[u8]| -> Option<Message> {
        let position = QueuePosition {
            queue: "q".into(),
            state: MessageState::Ready,
            list: None,
            index: None,
            priority: 0,
        };
        let envelope = Envelope::decode(entry).ok()?;
        read_message(&envelope, &position, ReadOptions::default(), &mut |name| name.into()).ok()
    };
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut messages = 0;
    for folder in ["corpus", "field"].map(|folder| fixtures.join(folder)) {
        for case in fs::read_dir(folder).expect("fixtures").flatten().filter(|case| case.path().is_dir()) {
            for file in fs::read_dir(case.path()).expect("a case").flatten().map(|file| file.path()) {
                let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                if !name.starts_with("redis.") {
                    continue;
                }
                let text = fs::read(&file).expect("readable");
                for line in text.split(|byte| *byte == b'\n').skip(1) {
                    let Ok(KeyContent::List(entries)) = read_key(line).map(|line| line.content) else {
                        continue;
                    };
                    for entry in entries {
                        let Some(whole) = read(&entry) else { continue };
                        let saved = read(&redact_message(&entry)).expect("it stays a message");
                        // What is saved has its headers in the order of their names.
                        let seen = |message: &Message| {
                            let contexts = message.contexts.iter().map(|found| format!("{found:?}"));
                            let empty = message.empty_carriers.iter().map(|found| format!("{found:?}"));
                            let others = message.other_headers.iter().map(ToString::to_string);
                            contexts.chain(empty).chain(others).collect::<std::collections::BTreeSet<_>>()
                        };
                        assert_eq!(seen(&saved), seen(&whole), "{}", file.display());
                        messages += 1;
                    }
                }
            }
        }
    }
    assert!(messages > 200, "{messages} messages were read");
}

#[test]
fn a_file_that_is_given_twice_came_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("spans.jsonl");
    fs::write(&file, format!("{}\n{}\n", request(1), request(2))).expect("writable");
    let link = folder.path().join("again.jsonl");
    symlink(&file, &link).expect("a link");
    let output = Command::new(env!("CARGO_BIN_EXE_tracelink"))
        .args(["diagnose", "--format", "json"])
        .args([folder.path(), &file, &file])
        .output()
        .expect("tracelink runs");
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    let findings = report["findings"].as_array().expect("findings");
    assert!(findings.iter().all(|finding| finding["slug"] != "exported-twice"), "{findings:#?}");
    assert_eq!(report["inputs"]["spans"], 2);
}

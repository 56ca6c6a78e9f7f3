//! The captures, saved as `--save` saves: their reports are the same, to the letter.

use std::collections::hash_map::RandomState;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::{Value, json};
use tracelink::bundle::{EvidenceOptions, Export, SavedParts, SnapshotWriter, read_evidence};
use tracelink::diagnosis::{Listing, report};
use tracelink::evidence::Evidence;
use tracelink::model::Report;
use tracelink::wire::snapshot::{read_head, read_key};

/// The folders of all captures.
pub fn cases() -> Vec<PathBuf> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let rooms = ["corpus", "field"].map(|room| fixtures.join(room));
    let folders = rooms.iter().flat_map(|room| fs::read_dir(room).expect("the fixtures are here"));
    let mut cases: Vec<_> = folders.map(|entry| entry.expect("readable").path()).collect();
    cases.retain(|path| path.join("expected.json").is_file());
    cases.sort();
    assert!(cases.len() > 150, "cases are missing");
    cases
}

pub fn diagnose(folder: &Path) -> Report {
    let mut evidence = Evidence::default();
    read_evidence(&[folder.to_owned()], &EvidenceOptions::default(), &mut evidence)
        .expect("readable evidence");
    report(&evidence, evidence.clock(), Listing::default())
}

/// Saves what a capture holds as `--save` would, and gives whether it has spans.
pub fn save(case: &Path, to: &Path, parts: SavedParts) -> bool {
    let key = RandomState::new();
    let mut has_spans = false;
    let mut files: Vec<_> =
        fs::read_dir(case).expect("readable").map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    let has_lines = case.join("spans.jsonl").is_file();
    for file in files {
        let name = file.file_name().expect("a file").to_string_lossy().into_owned();
        let create = |name: &str| File::create(to.join(name)).expect("the folder is ours");
        if name == "spans.jsonl" {
            let mut out = create(&name);
            for line in fs::read(&file)
                .expect("readable")
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty())
            {
                has_spans = true;
                let export = Export::Json(Bytes::copy_from_slice(line));
                export.write(parts, &key, &mut out).expect("the disk takes it");
            }
        } else if file.extension().is_some_and(|extension| extension == "binpb") && !has_lines {
            has_spans = true;
            let export = Export::Protobuf(fs::read(&file).expect("readable").into());
            let mut out = create(&name.replace(".binpb", ".jsonl"));
            export.write(parts, &key, &mut out).expect("the disk takes it");
        } else if name == "receiver.jsonl" {
            fs::copy(&file, to.join(&name)).expect("the folder is ours");
        } else if name.starts_with("redis.") {
            let lines = fs::read(&file).expect("readable");
            let mut lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            let head = read_head(lines.next().expect("a head")).expect("a head");
            let broker = head.broker.unwrap_or_default();
            let out = Box::new(create(&name));
            let mut writer = SnapshotWriter::new(out, &broker, head.captured_at, head.complete, false)
                .expect("the disk takes it");
            for line in lines {
                writer.key(&read_key(line).expect("a key")).expect("the disk takes it");
            }
            writer.finish().expect("the disk takes it");
        }
    }
    has_spans
}

fn value(report: &Report) -> Value {
    serde_json::to_value(report).expect("a report is JSON")
}

/// The places at which two values differ, with what stands there.
fn differences(at: &str, one: &Value, other: &Value, found: &mut Vec<String>) {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            for (name, value) in one {
                differences(&format!("{at}.{name}"), value, &other[name], found);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (place, (one, other)) in one.iter().zip(other).enumerate() {
                differences(&format!("{at}[{place}]"), one, other, found);
            }
        }
        _ if one != other => {
            let cut = |value: &Value| value.to_string().chars().take(120).collect::<String>();
            found.push(format!("{at}: {} and {}", cut(one), cut(other)));
        }
        _ => {}
    }
}

#[test]
fn a_redacted_bundle_gives_the_report_of_the_whole_one() {
    let mut complaints = Vec::new();
    for case in cases() {
        for parts in [SavedParts::WhatIsRead, SavedParts::All] {
            let to = tempfile::tempdir().expect("a temporary folder");
            save(&case, to.path(), parts);
            let (whole, saved) = (value(&diagnose(&case)), value(&diagnose(to.path())));
            let mut found = Vec::new();
            differences("", &whole, &saved, &mut found);
            differences("", &saved, &whole, &mut found);
            let name = case.file_name().unwrap_or_default().to_string_lossy().into_owned();
            complaints.extend(found.into_iter().take(3).map(|what| format!("{name} {parts:?} {what}")));
        }
    }
    assert!(
        complaints.is_empty(),
        "{}\n{}",
        complaints.len(),
        complaints[..complaints.len().min(40)].join("\n")
    );
}

/// Two contents under one id are two after they were redacted, too, and one that came
/// twice is one.
#[test]
fn a_resend_is_still_told_from_another_span_of_the_same_id() {
    let request = |statement: &str| {
        let span = json!({
            "traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": "00f067aa0ba902b7", "name": "SET",
            "kind": 3, "startTimeUnixNano": "5", "endTimeUnixNano": "9",
            "attributes": [{"key": "db.statement", "value": {"stringValue": statement}}],
        });
        Bytes::from(json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).to_string())
    };
    let key = RandomState::new();
    let line = |statement: &str, key: &RandomState| {
        let mut line = Vec::new();
        Export::Json(request(statement)).write(SavedParts::WhatIsRead, key, &mut line).expect("memory");
        String::from_utf8(line).expect("UTF-8")
    };
    assert_eq!(line("SET a", &key), line("SET a", &key));
    assert_ne!(line("SET a", &key), line("SET b", &key));
    // Nobody can try which statement it was.
    assert_ne!(line("SET a", &key), line("SET a", &RandomState::new()));
}

/// What takes two bytes in protobuf takes a few in the file: 15 KiB of a packed
/// request were 1.2 GiB of memory and 1.96 GB of disk.
#[test]
fn nested_empties_are_saved_in_their_own_size() {
    struct Counted(u64);
    impl Write for Counted {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let message = |number: u8, content: &[u8]| {
        let mut bytes = vec![number << 3 | 2];
        let mut length = content.len();
        while length > 0x7f {
            bytes.push(u8::try_from(length & 0x7f).expect("seven bits") | 0x80);
            length >>= 7;
        }
        bytes.push(u8::try_from(length).expect("seven bits"));
        [&bytes, content].concat()
    };
    // Of each kind of list a hundred thousand elements, of which each is empty.
    let empty_spans = message(1, &message(2, &message(2, &[]).repeat(100_000)));
    let empty_scopes = message(1, &message(2, &[]).repeat(100_000));
    let empty_resources = message(1, &[]).repeat(100_000);
    let span = |field: u8| {
        let ids = [message(1, &[7; 16]), message(2, &[7; 8])].concat();
        message(1, &message(2, &message(2, &[ids, message(field, &[]).repeat(100_000)].concat())))
    };
    for body in [empty_spans, empty_scopes, empty_resources, span(9), span(11), span(13)] {
        for parts in [SavedParts::WhatIsRead, SavedParts::All] {
            let mut written = Counted(0);
            let length = body.len() as u64;
            let export = Export::Protobuf(body.clone().into());
            export.write(parts, &RandomState::new(), &mut written).expect("it counts");
            assert!(written.0 < length * 10, "{parts:?}: {} for {length}", written.0);
        }
    }
}

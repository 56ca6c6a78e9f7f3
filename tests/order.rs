//! One set of evidence gives one report, in whatever order its files are named: two
//! brokers with one name for a queue, two looks of one moment, captures of several
//! applications together.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tracelink::bundle::{EvidenceOptions, read_evidence};
use tracelink::diagnosis::{Listing, report};
use tracelink::evidence::Evidence;

/// The captures with a queue and a result, and the looks at their brokers.
fn captures() -> Vec<(PathBuf, Vec<PathBuf>)> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus");
    let mut captures: Vec<_> = fs::read_dir(corpus)
        .expect("fixtures/corpus is part of the project")
        .map(|entry| entry.expect("readable").path())
        .map(|case| {
            let looks = ["redis.queued.jsonl", "redis.done.jsonl"].map(|look| case.join(look));
            (case, looks.into_iter().filter(|look| look.is_file()).collect::<Vec<_>>())
        })
        .filter(|(case, looks)| looks.len() == 2 && case.join("spans.jsonl").is_file())
        .collect();
    captures.sort();
    assert!(captures.len() > 60, "captures are missing");
    captures
}

/// A copy of a look, as one at another broker or at another time.
fn copy(look: &Path, to: PathBuf, broker: &str, at: Option<&str>) -> PathBuf {
    let text = fs::read_to_string(look).expect("readable");
    let (head, rest) = text.split_once('\n').expect("a line");
    let mut head: Value = serde_json::from_str(head).expect("JSON");
    head["broker"] = broker.into();
    if let Some(at) = at {
        head["captured_at"] = at.into();
    }
    fs::write(&to, format!("{head}\n{rest}")).expect("the folder is ours");
    to
}

fn diagnosed(files: &[PathBuf]) -> Value {
    let mut evidence = Evidence::default();
    read_evidence(files, &EvidenceOptions::default(), &mut evidence).expect("readable");
    let report = report(&evidence, evidence.clock(), Listing::default());
    serde_json::to_value(report).expect("it serialises")
}

/// Fails where the order of the files is seen in the report.
fn assert_one_report(mut files: Vec<PathBuf>, whose: &str) {
    let one = diagnosed(&files);
    for _ in 1..files.len() {
        files.rotate_left(1);
        assert!(diagnosed(&files) == one, "{whose}: another report in the order {files:?}");
    }
    files.reverse();
    assert!(diagnosed(&files) == one, "{whose}: another report backwards");
}

#[test]
fn two_brokers_with_one_name_for_a_queue() {
    let folder = tempfile::tempdir().expect("a folder");
    let captures = captures();
    for ((case, looks), (_, others)) in captures.iter().zip(captures.iter().rev()).step_by(5) {
        let mut files = vec![case.join("spans.jsonl")];
        for (number, look) in looks.iter().chain(others).enumerate() {
            let broker = if number < 2 { "one:6379/0" } else { "other:6379/0" };
            files.push(copy(look, folder.path().join(format!("{number}.jsonl")), broker, None));
        }
        assert_one_report(files, &case.display().to_string());
    }
}

#[test]
fn two_looks_of_one_moment() {
    let folder = tempfile::tempdir().expect("a folder");
    for (case, looks) in captures().iter().step_by(3) {
        let at = Some("2026-11-22T19:50:00Z");
        let mut files = vec![case.join("spans.jsonl")];
        for (number, look) in looks.iter().enumerate() {
            files.push(copy(look, folder.path().join(format!("{number}.jsonl")), "one:6379/0", at));
        }
        assert_one_report(files, &case.display().to_string());
    }
}

#[test]
fn two_applications_together() {
    let captures = captures();
    for ((case, looks), (other, others)) in captures.iter().zip(captures.iter().skip(7)).step_by(6) {
        let spans = [case, other].map(|case| case.join("spans.jsonl"));
        let files = spans.into_iter().chain(looks.iter().chain(others).cloned()).collect();
        assert_one_report(files, &case.display().to_string());
    }
}

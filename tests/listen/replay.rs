//! The spans of every capture of the corpus, over the wire.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde_json::Value;
use tracelink::bundle::{EvidenceOptions, read_evidence};
use tracelink::diagnosis::{Listing, report};
use tracelink::evidence::Evidence;

use super::listener::Listener;

pub fn cases() -> Vec<PathBuf> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus");
    let folders = fs::read_dir(corpus).expect("fixtures/corpus is part of the project");
    let mut cases: Vec<_> = folders
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.join("spans.jsonl").metadata().is_ok_and(|file| file.len() > 0))
        .collect();
    cases.sort();
    assert!(cases.len() > 120, "cases are missing");
    cases
}

/// One case of the corpus.
pub fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus").join(name)
}

/// Its requests as OTLP/JSON, in their order.
pub fn requests(case: &Path) -> Vec<String> {
    let text = fs::read_to_string(case.join("spans.jsonl")).expect("readable");
    text.lines().map(str::to_owned).collect()
}

/// What `diagnose` says of the spans alone.
fn diagnosed(case: &Path) -> Value {
    let mut evidence = Evidence::default();
    read_evidence(&[case.join("spans.jsonl")], &EvidenceOptions::default(), &mut evidence)
        .expect("a capture");
    serde_json::to_value(report(&evidence, evidence.clock(), Listing::default())).expect("serialises")
}

/// The parts of a report that the way in must not change.
fn said(report: &Value) -> Value {
    let parts = ["verdict", "findings", "handoffs", "traces", "metrics"];
    let mut said: Value = parts.iter().map(|part| ((*part).to_owned(), report[part].clone())).collect();
    said["findings"].as_array_mut().expect("a list").iter_mut().for_each(name_fixes);
    said
}

/// Leaves of the fixes of a finding their titles: a receiver that listens names its
/// own address in the lines.
pub fn name_fixes(finding: &mut Value) {
    let fixes = finding["fixes"].as_array().expect("a list").iter();
    finding["fixes"] = fixes.map(|fix| fix["title"].clone()).collect();
    finding.as_object_mut().expect("an object").remove("fix");
}

/// Runs `each` over the cases, many at a time: most of the time is waiting.
pub fn each_in_parallel(cases: &[PathBuf], each: impl Fn(&Path) + Sync) {
    const AT_ONCE: usize = 16;
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    each(case);
                }
            });
        }
    });
}

#[test]
fn over_grpc_in_the_order_of_the_capture() {
    each_in_parallel(&cases(), |case| {
        let mut files: Vec<_> = fs::read_dir(case)
            .expect("readable")
            .map(|entry| entry.expect("readable").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "binpb"))
            .collect();
        files.sort();
        let requests: Vec<_> = files
            .iter()
            .map(|file| {
                ExportTraceServiceRequest::decode(&*fs::read(file).expect("readable")).expect("captured")
            })
            .collect();
        // What was captured is over: nothing more is on its way.
        let listener = Listener::start(&["--settle", "0"]);
        listener.send_grpc(&requests);
        let ended = listener.end();
        assert_eq!(said(&ended.report()), said(&diagnosed(case)), "{}", case.display());
    });
}

#[test]
fn over_http_as_json_shuffled() {
    each_in_parallel(&cases(), |case| {
        let mut requests = requests(case);
        // A fixed way to put them out of order, other for each case.
        let seed = case.as_os_str().len();
        requests.sort_by_cached_key(|request| (request.len() * 31 + seed).wrapping_mul(0x9e37_79b9) % 1009);
        // What was captured is over: nothing more is on its way.
        let listener = Listener::start(&["--settle", "0"]);
        listener.send_json(&requests);
        let ended = listener.end();
        assert_eq!(said(&ended.report()), said(&diagnosed(case)), "{}", case.display());
    });
}

#[test]
fn what_is_kept_is_diagnosed_alike() {
    let folder = tempfile::tempdir().expect("a folder");
    let bundle = folder.path().join("bundle");
    let case = case("retry_auto");
    let request = |number: &str| {
        let file = fs::read(case.join(format!("spans.{number}.binpb"))).expect("captured");
        ExportTraceServiceRequest::decode(&*file).expect("captured")
    };
    let listener = Listener::start(&["--settle", "0", "--save", bundle.to_str().expect("UTF-8")]);
    listener.send_grpc(&[request("000"), request("001")]);
    let lines = requests(&case);
    listener.send_json(&lines[2..]);
    let ended = listener.end();
    let live = said(&ended.report());
    assert_eq!(live, said(&diagnosed(&case)));
    let again = std::process::Command::new(env!("CARGO_BIN_EXE_tracelink"))
        .args(["diagnose", "--format", "json"])
        .arg(&bundle)
        .output()
        .expect("tracelink runs");
    let again: Value = serde_json::from_slice(&again.stdout).expect("a report");
    assert_eq!(said(&again), live);
    let log = fs::read_to_string(bundle.join("receiver.jsonl")).expect("kept");
    let (requests, receiver): (Vec<_>, Vec<_>) = log.lines().partition(|line| line.contains("\"accepted\""));
    assert_eq!(requests.len(), lines.len());
    assert!(receiver[0].contains("\"bundle\"") && receiver[1].contains("\"listened\""), "{log}");
    assert_eq!(receiver[2..], ["{\"ends_without\":0}"]);
}

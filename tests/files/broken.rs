//! Cut, broken, hostile and mixed files give what can be read, and name the place of
//! what cannot.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use tracelink::bundle::{BundleError, EvidenceOptions, Place, read_evidence};
use tracelink::evidence::Evidence;

use super::diagnose;

pub fn request(number: u8) -> String {
    format!(
        r#"{{"resourceSpans": [{{"scopeSpans": [{{"spans": [{{"traceId": "4bf92f3577b34da6a3ce929d0e0e47{number:02x}", "spanId": "00f067aa0ba902b7", "name": "a", "startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000000000000001"}}]}}]}}]}}"#
    )
}

pub fn framed(messages: &[&[u8]]) -> Vec<u8> {
    let length = |message: &[u8]| u32::try_from(message.len()).expect("short").to_be_bytes();
    messages.iter().flat_map(|message| [&length(message)[..], message].concat()).collect()
}

#[test]
fn a_broken_message_is_named_by_its_byte_and_takes_no_other_with_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("spans.proto");
    let (first, last) = (request(1), request(2));
    let mut file =
        framed(&[first.as_bytes(), b"{\"resourceSpans\": [}", b"\x0a\xff\xff\xff\xff\x7f", last.as_bytes()]);
    let whole = file.len();
    file.extend([0, 0, 1, 0, b'{']);
    fs::write(&path, file).expect("the folder is ours");
    let (report, skipped) = diagnose(&[path]);
    assert_eq!(report.inputs.spans, 2);
    let at: Vec<_> = skipped.iter().map(|skipped| skipped.place).collect();
    let second = 4 + first.len() as u64;
    let places = [second, second + 24, whole as u64].map(|at| Some(Place::Byte(at)));
    assert_eq!(at, places, "{skipped:?}");
    assert!(skipped[2].what.contains("ends within a message of 256 bytes, after 1 of them"), "{skipped:?}");
}

#[test]
fn a_cut_archive_gives_what_came_before_the_cut_and_is_not_healthy() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("spans.jsonl.zst");
    let lines: Vec<_> = (0..200).map(request).collect();
    // Frame by frame, as the Collector rotates.
    let mut packed: Vec<u8> = lines
        .iter()
        .flat_map(|line| zstd::encode_all(format!("{line}\n").as_bytes(), 1).expect("memory"))
        .collect();
    packed.truncate(packed.len() - 10);
    fs::write(&path, packed).expect("the folder is ours");
    let (report, skipped) = diagnose(&[path]);
    assert_eq!(report.inputs.spans, 199);
    assert!(skipped.iter().any(|skipped| skipped.what.starts_with("broken zstd after")), "{skipped:?}");
    assert_ne!(report.verdict.status.label(), "healthy");
}

/// A few bytes that unpack to gigabytes are read past, in bounded memory.
#[test]
fn a_bomb_within_a_message_is_passed_over() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("spans.proto");
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("memory");
    let zeros = vec![0; 1 << 20];
    for _ in 0..600 {
        encoder.write_all(&zeros).expect("memory");
    }
    let bomb = encoder.finish().expect("memory");
    let last = request(1);
    fs::write(&path, framed(&[&bomb, last.as_bytes()])).expect("the folder is ours");
    let (report, skipped) = diagnose(&[path]);
    assert_eq!(report.inputs.spans, 1);
    assert!(skipped[0].what.contains("a field of the number 0"), "{skipped:?}");
}

#[test]
fn what_holds_no_spans_says_what_it_holds() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let told = |text: &str| {
        let path = folder.path().join("file.json");
        fs::write(&path, text).expect("the folder is ours");
        let error = read_evidence(&[path], &EvidenceOptions::default(), &mut Evidence::default())
            .expect_err("no spans");
        error.to_string()
    };
    for (text, what) in [
        (r#"{"resourceLogs": [{}]}"#, "logs (0 records), and no spans"),
        (r#"{"resourceMetrics": [{}]}"#, "metrics (0 data points), and no spans"),
        (r#"{"data": [], "errors": null}"#, "an empty result"),
        (
            r#"{"traces": [{"traceID": "4bf92f35", "rootServiceName": "api"}]}"#,
            "download each of them by its id",
        ),
        ("[]", "an empty result"),
        (r#"[{"resourceLogs": [{}]}]"#, "logs (0 records), and no spans"),
        (r#"{"resourceProfiles": [{}]}"#, "profiles (0 profiles), and no spans"),
        ("{}", "an empty result"),
        (r#"{"trace": {}}"#, "an empty result"),
        (
            r#"{"data": null, "total": 0, "limit": 0, "offset": 0, "errors": [{"code": 404, "msg": "trace not found"}]}"#,
            "an API answered, and no spans: \"trace not found\"",
        ),
        (r#"{"error": {"httpCode": 404, "message": "No traces found"}}"#, "\"No traces found\""),
        (r#"{"code": 5, "message": "not found", "details": []}"#, "\"not found\""),
        ("<!doctype html>\n<html><title>502 Bad Gateway</title></html>", "curl --fail"),
        (r#"{"log": {"version": "1.2", "creator": {}, "entries": []}}"#, "a browser recorded (HAR)"),
        ("404 page not found\n", "a line of text, and no spans: \"404 page not found\""),
        ("PK", "the Collector's file exporter"),
        (r#"{"a": 1}"#, "curl http://JAEGER:16686/api/traces/TRACE_ID"),
    ] {
        let told = told(text);
        assert!(told.contains(what), "{text}: {told}");
    }
}

#[test]
fn an_empty_answer_beside_spans_is_no_error() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (spans, empty) = (folder.path().join("spans.jsonl"), folder.path().join("empty.json"));
    fs::write(&spans, request(1)).expect("the folder is ours");
    fs::write(&empty, r#"{"data": []}"#).expect("the folder is ours");
    let (report, skipped) = diagnose(&[empty.clone(), spans]);
    assert_eq!(report.inputs.spans, 1);
    assert!(skipped[0].what.contains("an empty result"), "{skipped:?}");
    let alone = read_evidence(&[empty], &EvidenceOptions::default(), &mut Evidence::default());
    assert!(matches!(alone, Err(BundleError::Spanless { .. })));
}

#[test]
fn a_dash_reads_standard_input() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tracelink"))
        .args(["diagnose", "-", "--format", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("tracelink runs");
    let packed = zstd::encode_all(request(1).as_bytes(), 1).expect("memory");
    child.stdin.take().expect("piped").write_all(&packed).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["inputs"]["spans"], 1);
}

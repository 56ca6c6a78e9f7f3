//! Requests in JSON, however their file is laid out and however long it is: lists,
//! documents over many lines, several of them, one line without end.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tracelink::bundle::{EvidenceOptions, Place, Skipped, read_evidence};
use tracelink::evidence::Evidence;

use super::{cases, diagnose};

/// How a file has its requests.
type Layout = fn(&[Value]) -> String;

const LAYOUTS: &[(&str, Layout)] = &[
    ("a list in one line", |requests| json!(requests).to_string()),
    ("a list over many lines", |requests| format!("{:#}", json!(requests))),
    ("a list with a request a line", |requests| {
        format!("[\n{}\n]\n", joined(requests, ",\n", Value::to_string))
    }),
    ("documents over many lines", |requests| joined(requests, "\n", |request| format!("{request:#}"))),
    ("documents without anything between", |requests| joined(requests, "", |request| format!("{request:#}"))),
    ("lines and documents in turn", |requests| {
        let each = |(number, request): (usize, &Value)| {
            if number % 2 == 0 { format!("{request}\n") } else { format!("{request:#}\n") }
        };
        requests.iter().enumerate().map(each).collect()
    }),
    ("lists one after the other", |requests| joined(requests, "\n\n", |request| format!("[{request}]"))),
];

fn joined(requests: &[Value], between: &str, each: impl Fn(&Value) -> String) -> String {
    requests.iter().map(each).collect::<Vec<_>>().join(between)
}

#[test]
fn every_layout_gives_the_report_of_plain_lines() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("spans.json");
    let mut complaints = Vec::new();
    // A few that differ are enough: the whole corpus goes through other wrappings.
    for case in cases().iter().filter(|case| case.requests.len() > 1).step_by(12) {
        let mut files = case.snapshots.clone();
        files.push(path.clone());
        let told = |text: String| {
            fs::write(&path, text).expect("the folder is ours");
            let (report, skipped) = diagnose(&files);
            let places: Vec<_> = skipped.into_iter().filter(|skipped| skipped.place.is_some()).collect();
            (serde_json::to_value(&report).expect("JSON"), places)
        };
        let plain = told(joined(&case.requests, "\n", Value::to_string));
        for (layout, write) in LAYOUTS {
            if told(write(&case.requests)) != plain {
                complaints.push(format!("{}: {layout}", case.name));
            }
        }
    }
    assert!(complaints.is_empty(), "{complaints:?}");
}

fn span(number: usize) -> String {
    format!(
        r#"{{"traceId":"{:032x}","spanId":"{:016x}","name":"s","startTimeUnixNano":"5","endTimeUnixNano":"9"}}"#,
        number + 1,
        number + 1
    )
}

fn request(spans: &str) -> String {
    format!(r#"{{"resourceSpans":[{{"resource":{{}},"scopeSpans":[{{"scope":{{}},"spans":[{spans}]}}]}}]}}"#)
}

/// Reads a file of which no more than `longest` bytes may be held; how many spans it has.
fn read(folder: &Path, text: &str, longest: usize) -> (u64, Vec<Skipped>) {
    let path: PathBuf = folder.join("spans.json");
    fs::write(&path, text).expect("the folder is ours");
    let mut evidence = Evidence::default();
    let reading = EvidenceOptions { longest, ..EvidenceOptions::default() };
    let skipped = read_evidence(&[path], &reading, &mut evidence).expect("evidence");
    (evidence.spans.span_count(), skipped)
}

/// Ten times as long as what may be held.
#[test]
fn a_line_that_is_longer_than_memory_is_read() {
    const LONGEST: usize = 64 << 10;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let spans: Vec<_> = (0..6_000).map(span).collect();
    let line = request(&spans.join(","));
    assert!(line.len() > 10 * LONGEST);
    for text in [line.clone(), format!("{line}\n{}\n", request(&span(9_000))), format!("[{line}]")] {
        let (count, skipped) = read(folder.path(), &text, LONGEST);
        assert_eq!((count / 6_000, skipped), (1, vec![]));
    }
    let traces: Vec<_> = (0..6_000)
        .map(|number| {
            let id = format!("{:032x}", number + 1);
            format!(r#"{{"traceID":"{id}","spans":[{{"traceID":"{id}","spanID":"ab"}}],"processes":{{}}}}"#)
        })
        .collect();
    let (count, skipped) = read(folder.path(), &format!(r#"{{"data":[{}]}}"#, traces.join(",")), LONGEST);
    assert_eq!((count, skipped.iter().filter(|skipped| skipped.place.is_some()).count()), (6_000, 0));
    let zipkin: Vec<_> = (0..6_000)
        .map(|number| format!(r#"{{"traceId":"{:016x}","id":"{:016x}"}}"#, number + 1, number + 1))
        .collect();
    let (count, skipped) = read(folder.path(), &format!("[{}]", zipkin.join(",")), LONGEST);
    assert_eq!((count, skipped.iter().filter(|skipped| skipped.place.is_some()).count()), (6_000, 0));
}

#[test]
fn a_span_that_is_longer_than_memory_is_named_by_its_place() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let long = format!(r#"{{"name":"{}"}}"#, "x".repeat(100_000));
    let text =
        format!("{}\n{}\n{}\n", request(&span(1)), request(&[span(2), long].join(",")), request(&span(3)));
    let (count, skipped) = read(folder.path(), &text, 64 << 10);
    assert_eq!(count, 3);
    assert_eq!(skipped.len(), 1, "{skipped:?}");
    assert_eq!(skipped[0].place, Some(Place::Line(2)));
    assert!(skipped[0].what.starts_with("a part longer than"), "{skipped:?}");
    assert!(skipped[0].what.contains("at column"), "{skipped:?}");
}

#[test]
fn a_break_in_a_document_is_named_by_its_line_and_takes_no_other_with_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pretty = |spans: &str| {
        let request: Value = serde_json::from_str(&request(spans)).expect("JSON");
        format!("{request:#}\n")
    };
    let broken = pretty(&[span(2), span(3)].join(",")).replacen(
        "\"endTimeUnixNano\": \"9\",",
        "\"endTimeUnixNano\": ,",
        1,
    );
    let line = broken.lines().position(|line| line.ends_with(": ,")).expect("it was broken") + 1;
    let first = pretty(&span(1));
    let before = first.lines().count();
    let text = [first, broken, pretty(&span(4))].concat();
    let (count, skipped) = read(folder.path(), &text, 1 << 20);
    assert_eq!(count, 2, "{skipped:?}");
    assert_eq!(skipped.len(), 1, "{skipped:?}");
    assert_eq!(skipped[0].place, Some(Place::Line(before + line)), "{skipped:?}");
    let begins = format!("of a document that begins in line {}", before + 1);
    assert!(skipped[0].what.contains(&begins), "{skipped:?}");
}

/// A writer that was killed within a line, and one that was started after it.
#[test]
fn a_line_that_was_cut_takes_no_other_with_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let lines: Vec<_> = (0..4).map(|number| request(&span(number))).collect();
    for cut in [20, 60, 150] {
        let mut text = String::new();
        for (number, line) in lines.iter().enumerate() {
            let end = if number == 1 { cut } else { line.len() };
            writeln!(text, "{}", &line[..end]).expect("memory");
        }
        let (count, skipped) = read(folder.path(), &text, 1 << 20);
        assert_eq!((count, skipped.len()), (3, 1), "{cut}: {skipped:?}");
        assert_eq!(skipped[0].place, Some(Place::Line(2)));
    }
}

/// Tempo says so in its answer.
#[test]
fn a_trace_that_a_backend_cut_is_not_healthy() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let whole = format!(r#"{{"trace":{},"metrics":{{}}}}"#, request(&span(1)));
    let (count, skipped) = read(folder.path(), &whole, 1 << 20);
    assert_eq!((count, skipped.iter().any(|told| told.place.is_some())), (1, false), "{skipped:?}");
    let partial = format!(r#"{{"trace":{},"status":"PARTIAL","message":"too large"}}"#, request(&span(1)));
    let (count, skipped) = read(folder.path(), &partial, 1 << 20);
    assert_eq!(count, 1);
    assert!(skipped.iter().any(|told| told.what.contains("left out spans")), "{skipped:?}");
}

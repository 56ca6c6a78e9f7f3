//! Files with other signals than traces, alone or beside spans: it is said what they hold,
//! how much, and where. And answers of an API that end with an error.

use std::fs;
use std::path::{Path, PathBuf};

use tracelink::bundle::{BundleError, EvidenceOptions, Place, Skipped, read_evidence};
use tracelink::evidence::Evidence;

use super::broken::{framed, request};
use super::{cases, diagnose};

/// A field of a message in protobuf.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    assert!(length < 1 << 14, "two bytes are enough for its length");
    let low = u8::try_from(length & 0x7f).expect("seven bits");
    let length =
        if length < 0x80 { vec![low] } else { vec![low | 0x80, u8::try_from(length >> 7).expect("short")] };
    [vec![number << 3 | 2], length, content.to_vec()].concat()
}

fn time(number: u8) -> Vec<u8> {
    [&[number << 3 | 1][..], &1_700_000_000_000_000_000_u64.to_le_bytes()].concat()
}

/// A request with one resource and its records.
fn of_records(records: &[Vec<u8>]) -> Vec<u8> {
    let name = [field(1, b"service.name"), field(2, &field(1, b"order-api"))].concat();
    let records: Vec<u8> = records.iter().flat_map(|record| field(2, record)).collect();
    field(1, &[field(1, &field(1, &name)), field(2, &records)].concat())
}

/// As an SDK exports lines of a log.
fn logs(records: usize) -> Vec<u8> {
    let record =
        [time(1), b"\x10\x09".to_vec(), field(3, b"INFO"), field(5, &field(1, b"an order")), time(11)];
    of_records(&vec![record.concat(); records])
}

/// As an SDK exports a counter of two data points.
fn metrics() -> Vec<u8> {
    let points = [field(1, &time(3)), field(1, &time(3)), b"\x10\x02".to_vec()].concat();
    of_records(&[[field(1, b"orders"), field(3, b"1"), field(7, &points)].concat()])
}

fn span() -> Vec<u8> {
    let span = [field(1, &[7; 16]), field(2, &[7; 8]), field(5, b"POST /orders"), time(7), time(8)];
    of_records(&[span.concat()])
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, content).expect("the folder is ours");
        path
    }
}

fn why(path: PathBuf) -> String {
    match read_evidence(&[path], &EvidenceOptions::default(), &mut Evidence::default()) {
        Err(error @ BundleError::Spanless { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

const LOGS: &str = r#"{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {}}, {"body": {}}]}]}]}"#;
const METRICS: &str = r#"{"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "a", "gauge": {"dataPoints": [{}]}}]}]}]}"#;

#[test]
fn a_file_of_other_signals_says_which_and_how_much() {
    let folder = Folder::new();
    for (content, what) in [
        (logs(3), "logs (3 records), and no spans"),
        (metrics(), "metrics (2 data points), and no spans"),
        ([logs(3), logs(1)].concat(), "logs (4 records), and no spans"),
        (
            framed(&[&logs(3), &metrics(), &logs(1)]),
            "logs (4 records) and metrics (2 data points), and no spans",
        ),
        (zstd::encode_all(&logs(1)[..], 1).expect("memory"), "logs (1 record), and no spans"),
        (
            format!("{LOGS}\n{METRICS}\n{LOGS}").into_bytes(),
            "logs (4 records) and metrics (1 data point), and no spans",
        ),
    ] {
        let told = why(folder.file("signals.bin", content));
        assert!(told.contains(what) && told.ends_with("give the file of the traces pipeline"), "{told}");
    }
}

/// Each of the places that were told, with what is there.
fn told(skipped: &[Skipped]) -> Vec<(Option<Place>, &str)> {
    skipped.iter().map(|skipped| (skipped.place, &*skipped.what)).collect()
}

#[test]
fn other_signals_among_spans_are_told_once_each_and_lose_nothing() {
    let folder = Folder::new();
    let lines = [LOGS, &request(1), METRICS, &request(2), LOGS].join("\n");
    let (report, skipped) = diagnose(&[folder.file("mixed.jsonl", lines)]);
    assert_eq!(report.inputs.spans, 2);
    let [(at_logs, logs_told), (at_metrics, metrics_told)] = told(&skipped)[..] else {
        panic!("{skipped:?}")
    };
    assert_eq!((at_logs, at_metrics), (Some(Place::Line(1)), Some(Place::Line(3))));
    assert!(logs_told.starts_with("logs (4 records) beside the spans, the last in line 5"), "{logs_told}");
    assert!(
        metrics_told.starts_with("metrics (1 data point) beside the spans: passed over"),
        "{metrics_told}"
    );

    let messages = framed(&[&span(), &logs(2), &logs(1)]);
    let (report, skipped) = diagnose(&[folder.file("mixed.proto", messages)]);
    assert_eq!((report.inputs.spans, report.inputs.span_account.rejected), (1, 0));
    let [(at, what)] = told(&skipped)[..] else { panic!("{skipped:?}") };
    let second = 4 + span().len() as u64 + 4;
    assert_eq!(at, Some(Place::Byte(second)));
    let last = second + logs(2).len() as u64 + 4;
    assert!(what.contains(&format!("logs (3 records) beside the spans, the last at byte {last}")), "{what}");
}

/// Beside a file of spans, one of logs is no loss.
#[test]
fn a_file_of_logs_beside_the_spans_does_not_change_the_verdict() {
    let folder = Folder::new();
    let case = cases().into_iter().find(|case| case.name == "healthy_auto").expect("a capture");
    let logs = folder.file("logs.binpb", logs(3));
    let mut files = case.snapshots.clone();
    files.push(case.folder.join("spans.jsonl"));
    let alone = diagnose(&files).0.verdict.status.label();
    files.push(logs);
    let (report, skipped) = diagnose(&files);
    assert_eq!(report.verdict.status.label(), alone);
    assert!(skipped.iter().any(|one| one.what.starts_with("logs (3 records), and no spans")), "{skipped:?}");
}

/// A request whose first resource is 123 bytes long begins like an indented brace.
#[test]
fn no_length_makes_a_request_another_format() {
    let folder = Folder::new();
    for length in 1..=400 {
        let name = vec![b'a'; length];
        let span = [field(1, &[7; 16]), field(2, &[7; 8]), field(5, &name), time(7), time(8)].concat();
        // Without a resource, and with one.
        for request in [field(1, &field(2, &field(2, &span))), of_records(std::slice::from_ref(&span))] {
            let (report, skipped) = diagnose(&[folder.file("one.binpb", &request)]);
            assert!(report.inputs.spans == 1 && skipped.is_empty(), "{} bytes: {skipped:?}", request.len());
            let (report, skipped) = diagnose(&[folder.file("one.proto", framed(&[&request]))]);
            assert!(report.inputs.spans == 1 && skipped.is_empty(), "{} bytes: {skipped:?}", request.len());
        }
    }
}

/// Jaeger's API streams results, and may fail between them.
#[test]
fn an_answer_that_ends_with_an_error_says_nothing_of_what_it_lacks() {
    let folder = Folder::new();
    let case = cases().into_iter().find(|case| case.name == "healthy_auto").expect("a capture");
    // Only what the API sent: the worker's spans are not there.
    let sent: Vec<_> =
        case.requests.iter().filter(|request| !request.to_string().contains("\"worker\"")).collect();
    let results: Vec<_> = sent.iter().map(|request| format!("{{\"result\": {request}}}")).collect();
    let whole = diagnose(&[folder.file("whole.json", results.join("\n"))]).0;
    let error = r#"{"error": {"grpc_code": 14, "http_code": 503, "message": "storage\u001b]0;is\u0007 away", "details": []}}"#;
    for text in [
        format!("{}\n{error}\n", results.join("\n")),
        format!("[{}, {error}]", results.join(", ")),
        format!("{}\n{}\n", results.join("\n"), error.replace(", ", ",\n  ")),
    ] {
        let (report, skipped) = diagnose(&[folder.file("ended.json", &text)]);
        assert_eq!(report.inputs.spans, whole.inputs.spans, "what came before is read");
        assert_eq!(report.verdict.status.label(), "unproven", "{text}");
        assert!(report.findings.is_empty(), "{:?}", report.findings);
        let ends: Vec<_> = skipped.iter().filter(|one| one.place.is_some()).collect();
        let [end] = ends[..] else { panic!("{skipped:?}") };
        assert!(end.what.contains("so nothing is said of what it lacks"), "{}", end.what);
        assert!(end.what.contains("storage\u{1b}]0;is\u{7} away"), "raw: whoever prints it makes it safe");
    }
}

/// A message or a resource that finds no room is named by its byte; the others are read.
#[test]
fn a_message_without_room_takes_no_other_with_it() {
    let folder = Folder::new();
    let long = of_records(&[[field(1, &[7; 16]), field(2, &[7; 8]), field(5, &[b'a'; 9_000])].concat()]);
    let many = span().repeat(200);
    let read = |path: &Path| {
        let mut evidence = Evidence::default();
        let reading = EvidenceOptions { longest: 4_096, ..EvidenceOptions::default() };
        let skipped = read_evidence(&[path.to_owned()], &reading, &mut evidence).expect("spans");
        (evidence.span_account().received, evidence.has_holes(), skipped)
    };
    // Of one request, each resource that fits is read.
    let bare = [many.clone(), long.clone(), span()].concat();
    let (spans, has_hole, skipped) = read(&folder.file("bare.binpb", bare));
    assert_eq!((spans, has_hole), (201, true));
    let [(at, what)] = told(&skipped)[..] else { panic!("{skipped:?}") };
    assert_eq!(at, Some(Place::Byte(many.len() as u64)));
    assert!(what.contains("4096 bytes are the most that is held at once: it was passed over"), "{what}");
    let (spans, has_hole, skipped) = read(&folder.file("many.proto", framed(&[&many, &long, &many])));
    assert_eq!((spans, has_hole), (400, true));
    let [(at, _)] = told(&skipped)[..] else { panic!("{skipped:?}") };
    assert_eq!(at, Some(Place::Byte(4 + many.len() as u64 + 4)));
    // Packed by itself, it is named by where it begins.
    let packed = |bytes: &[u8]| zstd::encode_all(bytes, 1).expect("memory");
    let file = framed(&[&packed(&many), &packed(&long), &packed(&many)]);
    let (spans, _, skipped) = read(&folder.file("packed.proto", file));
    assert_eq!(spans, 400);
    let [(at, _)] = told(&skipped)[..] else { panic!("{skipped:?}") };
    assert_eq!(at, Some(Place::Byte(4 + packed(&many).len() as u64)));
    // Of a message that is cut, what comes before is read.
    let mut file = framed(&[&many]);
    file.truncate(file.len() - 5);
    let (spans, _, skipped) = read(&folder.file("cut.proto", file));
    assert_eq!(spans, 199);
    assert!(skipped[0].what.contains("the file ends within a message"), "{skipped:?}");
}

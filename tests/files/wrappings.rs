//! Every wrapping gives the verdict of the plain lines.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;

use prost::Message;
use serde_json::Value;
use tracelink::model::{Confidence, Report, Severity};

use super::{Case, backends, cases, diagnose};

/// Writes a capture's spans, as one kind of file.
type Wrapping = fn(&Case) -> Vec<u8>;

/// What is still OTLP: nothing may differ.
const OF_OTLP: &[(&str, Wrapping)] = &[
    ("lines.jsonl.gz", |case| gzip(&lines(case))),
    ("lines.jsonl.zst", |case| zstd(&lines(case))),
    ("twice.gz", |case| gzip(&zstd(&lines(case)))),
    ("a-frame-a-line.zst", |case| {
        lines(case).split_inclusive(|byte| *byte == b'\n').flat_map(zstd).collect()
    }),
    ("prefixed.proto", |case| framed(&protobuf(case))),
    ("prefixed-zstd.proto", |case| framed(&protobuf(case).iter().map(|body| zstd(body)).collect::<Vec<_>>())),
    ("prefixed-zstd.json", |case| {
        let bodies = lines(case).split(|byte| *byte == b'\n').map(zstd).collect::<Vec<_>>();
        framed(&bodies[..bodies.len() - 1])
    }),
    ("prefixed.proto.zst", |case| zstd(&framed(&protobuf(case)))),
    ("jaeger-v3.json", |case| {
        let results =
            case.requests.iter().map(|request| serde_json::json!({ "result": request }).to_string());
        results.collect::<Vec<_>>().join("\n").into_bytes()
    }),
];

/// What lacks something of OTLP: the same, or less sure.
const OF_BACKENDS: &[(&str, Wrapping)] = &[
    ("jaeger.json", |case| format!("{:#}", backends::jaeger(&case.requests)).into_bytes()),
    ("zipkin.json", |case| backends::zipkin(&case.requests).to_string().into_bytes()),
    ("tempo.json", |case| backends::tempo(&case.requests).to_string().into_bytes()),
    ("tempo-v2.json", |case| {
        let batches = backends::tempo(&case.requests)["batches"].clone();
        serde_json::json!({ "trace": { "resourceSpans": batches } }).to_string().into_bytes()
    }),
    ("grafana.json", |case| backends::grafana(&case.requests).to_string().into_bytes()),
];

fn lines(case: &Case) -> Vec<u8> {
    fs::read(case.folder.join("spans.jsonl")).expect("readable")
}

/// Each request as protobuf, by OpenTelemetry's own types.
fn protobuf(case: &Case) -> Vec<Vec<u8>> {
    let mut files: Vec<_> = fs::read_dir(&case.folder)
        .expect("readable")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "binpb"))
        .collect();
    files.sort();
    if !files.is_empty() {
        return files
            .iter()
            .map(|path| fs::read(path).expect("readable"))
            .filter(|body| !body.is_empty())
            .collect();
    }
    let as_protobuf = |request: &Value| {
        let request: opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest =
            serde_json::from_value(request.clone()).expect("a request");
        request.encode_to_vec()
    };
    case.requests.iter().map(as_protobuf).collect()
}

fn framed(bodies: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for body in bodies {
        file.extend(u32::try_from(body.len()).expect("short").to_be_bytes());
        file.extend(body);
    }
    file
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("memory")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// What a report says, without what depends on how the spans came: findings with their
/// severity, confidence and count, and the verdict.
fn said(report: &Report) -> (Vec<(&'static str, Severity, Confidence, u64)>, String) {
    let findings = report.findings.iter();
    // Which exports brought what is a question of the exports' own files.
    let mut findings: Vec<_> = findings
        .filter(|finding| finding.slug != "exported-twice")
        .map(|finding| (finding.slug, finding.severity, finding.confidence, finding.count))
        .collect();
    findings.sort();
    (findings, report.verdict.status.label().to_owned())
}

/// The report on a capture whose spans are written so.
fn through(case: &Case, name: &str, wrapping: Wrapping, folder: &Path) -> Report {
    let path = folder.join(name);
    fs::write(&path, wrapping(case)).expect("the folder is ours");
    let mut files = case.snapshots.clone();
    files.push(path);
    let (report, skipped) = diagnose(&files);
    let places: Vec<_> = skipped.iter().filter(|skipped| skipped.place.is_some()).collect();
    assert!(places.is_empty(), "{} as {name}: {places:?}", case.name);
    report
}

#[test]
fn every_wrapping_of_otlp_gives_the_same_verdict() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut complaints = Vec::new();
    for case in cases().iter().filter(|case| case.requests.iter().any(has_spans)) {
        let plain = said(&through(case, "plain.jsonl", lines, folder.path()));
        for (name, wrapping) in OF_OTLP {
            let wrapped = said(&through(case, name, *wrapping, folder.path()));
            if wrapped != plain {
                complaints.push(format!("{} as {name}: {wrapped:?}\n  plain: {plain:?}", case.name));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Captures of which a backend's shape says another thing, and what it lacks.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    (
        "worker_made_up_parent",
        "jaeger.json",
        "without flags, a parent of another process looks like one of the same that has not ended",
    ),
    ("worker_made_up_parent", "zipkin.json", "the same"),
    ("worker_made_up_parent", "tempo.json", "the same"),
    ("worker_made_up_parent", "tempo-v2.json", "the same"),
    ("worker_made_up_parent", "grafana.json", "the same"),
    (
        "worker_roots_with_links_one_name",
        "grafana.json",
        "one resource stands for all processes of a service, so a worker that has the API's name is not seen",
    ),
    (
        "service_name_collision",
        "grafana.json",
        "one resource stands for all processes of a service, so nothing shows that there are several",
    ),
    ("article_3_reload_flag_and_warnings", "grafana.json", "the same"),
    ("one_service_name_on_purpose_ratio", "grafana.json", "the same"),
];

#[test]
fn a_backends_shape_gives_the_same_verdict_or_one_that_is_less_sure() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut complaints = Vec::new();
    let cases = cases();
    let mut listed = DIFFERENCES.iter().map(|(case, shape, _)| (*case, *shape)).collect::<BTreeSet<_>>();
    for case in cases.iter().filter(|case| case.requests.iter().any(has_spans)) {
        let plain = said(&through(case, "plain.jsonl", lines, folder.path()));
        for (name, wrapping) in OF_BACKENDS {
            let shaped = said(&through(case, name, *wrapping, folder.path()));
            let is_listed = listed.remove(&(&*case.name, *name));
            match shaped == plain || is_less_sure(&shaped, &plain) {
                true if is_listed => complaints.push(format!("{} as {name} differs no more", case.name)),
                false if !is_listed => {
                    complaints.push(format!("{} as {name}: {shaped:?}\n  plain: {plain:?}", case.name));
                }
                _ => {}
            }
        }
    }
    assert!(listed.is_empty(), "no such capture: {listed:?}");
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

type Said = (Vec<(&'static str, Severity, Confidence, u64)>, String);

/// Whether the same is said, and nothing surer.
fn is_less_sure(shaped: &Said, plain: &Said) -> bool {
    shaped.1 == plain.1
        && shaped.0.len() == plain.0.len()
        && shaped.0.iter().zip(&plain.0).all(|(shaped, plain)| {
            (shaped.0, shaped.1, shaped.3) == (plain.0, plain.1, plain.3) && shaped.2 >= plain.2
        })
}

fn has_spans(request: &Value) -> bool {
    request["resourceSpans"].as_array().is_some_and(|list| !list.is_empty())
}

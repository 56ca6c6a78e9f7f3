//! The reports that are written in every format.

use std::path::{Path, PathBuf};

use tracelink::bundle::{EvidenceOptions, read_evidence};
use tracelink::diagnosis::{Listing, report};
use tracelink::evidence::Evidence;
use tracelink::model::{Finding, Report};

/// What the one report is made of: an error, a warning, a note, an unproven hand-off
/// and a healthy one.
pub const EVIDENCE: [&str; 5] = [
    "fixtures/corpus/propagator_api_b3multi_worker_w3c",
    "fixtures/corpus/duplicate_consumer",
    "fixtures/corpus/failing_task",
    "fixtures/corpus/worker_no_sdk/spans.jsonl",
    "fixtures/corpus/healthy_auto",
];

/// The report of what lies at these paths.
pub fn of(paths: &[&str]) -> Report {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let paths: Vec<PathBuf> = paths.iter().map(|path| root.join(path)).collect();
    let mut evidence = Evidence::default();
    read_evidence(&paths, &EvidenceOptions::default(), &mut evidence).expect("readable");
    report(&evidence, evidence.clock(), Listing::default())
}

/// The captures, by name.
pub fn corpus() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus");
    let entries = std::fs::read_dir(folder).expect("the corpus").map(|entry| entry.expect("readable"));
    let cases = entries.filter(|entry| entry.path().join("expected.json").is_file());
    cases.map(|entry| entry.file_name().into_string().expect("UTF-8")).collect()
}

pub fn golden() -> Report {
    of(&EVIDENCE)
}

/// A queue with findings in some of its messages.
pub fn queue() -> Report {
    of(&["fixtures/corpus/own540_two_apis_one_not_instrumented/redis.queued.jsonl"])
}

/// More findings than a comment has room for, of each severity.
pub fn many() -> Report {
    let golden = golden();
    let mut many = golden.clone();
    many.findings = golden
        .findings
        .iter()
        .flat_map(|finding| {
            (0..400).map(move |number| Finding { id: format!("{}-{number}", finding.id), ..finding.clone() })
        })
        .collect();
    many
}

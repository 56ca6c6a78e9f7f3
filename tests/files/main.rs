//! Evidence from any file: each capture gives the same verdict through every wrapping of
//! OTLP, and through the shapes of backends the same or one that is less sure.

#[path = "../labels/mod.rs"]
#[allow(dead_code, reason = "other tests ask for more of it")]
mod labels;

mod backends;
mod bounded;
mod broken;
mod layouts;
mod orders;
mod signals;
mod wrappings;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tracelink::bundle::{EvidenceOptions, Skipped, read_evidence};
use tracelink::diagnosis::{Listing, report};
use tracelink::evidence::Evidence;
use tracelink::model::Report;

/// A capture: its requests, and what lay in its broker.
struct Case {
    folder: PathBuf,
    name: String,
    requests: Vec<Value>,
    snapshots: Vec<PathBuf>,
}

/// Every capture that has spans.
fn cases() -> Vec<Case> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut cases = Vec::new();
    for room in ["corpus", "field"] {
        for entry in fs::read_dir(fixtures.join(room)).expect("the fixtures are part of the project") {
            let folder = entry.expect("readable").path();
            let Ok(text) = fs::read_to_string(folder.join("spans.jsonl")) else { continue };
            if !folder.join("expected.json").is_file() || folder.join("receiver.jsonl").exists() {
                continue;
            }
            let requests: Result<Vec<Value>, _> = text.lines().map(serde_json::from_str).collect();
            let Ok(requests) = requests else { continue };
            let mut snapshots: Vec<_> = fs::read_dir(&folder)
                .expect("readable")
                .map(|entry| entry.expect("readable").path())
                .filter(|path| {
                    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("redis."))
                })
                .collect();
            snapshots.sort();
            let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
            cases.push(Case { folder, name, requests, snapshots });
        }
    }
    assert!(cases.len() > 140, "cases are missing: {}", cases.len());
    cases
}

/// The report on these files, and what was said of them.
fn diagnose(files: &[PathBuf]) -> (Report, Vec<Skipped>) {
    let mut evidence = Evidence::default();
    let skipped = read_evidence(files, &EvidenceOptions::default(), &mut evidence).expect("evidence");
    (report(&evidence, evidence.clock(), Listing::default()), skipped)
}

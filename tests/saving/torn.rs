//! Bundles of which a part is missing: they are read up to the tear, say so, and are
//! never green.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tracelink::bundle::{BundleWriter, EvidenceOptions, Export, SavedParts, read_evidence};
use tracelink::diagnosis::{Listing, report};
use tracelink::evidence::Evidence;
use tracelink::model::{Severity, Status};

use crate::redacted::{cases, diagnose, save};

fn reasons(report: &tracelink::model::Report) -> BTreeSet<&'static str> {
    report.verdict.unproven.iter().map(|gap| gap.reason).collect()
}

#[test]
fn a_torn_bundle_is_neither_green_nor_a_false_alarm() {
    let mut torn = 0;
    for case in cases() {
        let to = tempfile::tempdir().expect("a temporary folder");
        let whole = diagnose(&case);
        if !save(&case, to.path(), SavedParts::WhatIsRead)
            || whole.findings.iter().any(|one| one.severity < Severity::Note)
        {
            continue;
        }
        let Ok(lines) = fs::read(to.path().join("spans.jsonl")) else { continue };
        for part in [3, 5, 9] {
            let end = lines.len() * part / 10;
            fs::write(to.path().join("spans.jsonl"), &lines[..end]).expect("the folder is ours");
            let name = case.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let report = diagnose(to.path());
            if lines[..end].ends_with(b"\n") {
                continue;
            }
            torn += 1;
            assert_ne!(report.verdict.status, Status::Healthy, "{name}");
            assert!(reasons(&report).contains("evidence-missing"), "{name}: {:?}", report.verdict);
            let alarms: Vec<_> = report.findings.iter().filter(|one| one.severity < Severity::Note).collect();
            assert!(alarms.is_empty(), "{name} cut at {part} tenths: {alarms:?}");
        }
    }
    assert!(torn > 100, "{torn}");
}

fn request() -> Export {
    Export::Json(
        fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus/healthy_auto/spans.jsonl"))
            .expect("readable")
            .split(|byte| *byte == b'\n')
            .next()
            .expect("a line")
            .to_vec()
            .into(),
    )
}

fn read(folder: &Path) -> (Evidence, Vec<String>) {
    let mut evidence = Evidence::default();
    let notices =
        read_evidence(&[folder.to_owned()], &EvidenceOptions::default(), &mut evidence).expect("evidence");
    (evidence, notices.into_iter().map(|notice| notice.what).collect())
}

#[test]
fn a_bundle_without_its_end_says_so() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut bundle = BundleWriter::open(dir.path(), SavedParts::WhatIsRead, 1 << 20).expect("it is empty");
    bundle.spans(&request()).expect("the disk takes it");
    bundle.flush().expect("the disk takes it");
    // As a kill leaves it.
    let (evidence, told) = read(dir.path());
    assert!(evidence.has_holes() && told[0].contains("has no end"), "{told:?}");
    assert!(evidence.spans.span_count() > 0);
    bundle.finish(0).expect("the disk takes it");
    let (evidence, told) = read(dir.path());
    assert!(!evidence.has_holes() && told.is_empty(), "{told:?}");
}

#[test]
fn a_bundle_that_lacks_requests_says_how_many_and_is_never_green() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut bundle = BundleWriter::open(dir.path(), SavedParts::WhatIsRead, 1 << 20).expect("it is empty");
    bundle.spans(&request()).expect("the disk takes it");
    bundle.finish(3).expect("the disk takes it");
    let (evidence, told) = read(dir.path());
    assert!(told[0].starts_with("3 requests or looks"), "{told:?}");
    let report = report(&evidence, evidence.clock(), Listing::default());
    assert_eq!((report.verdict.status, report.limits.not_saved), (Status::Unproven, 3));
    assert!(reasons(&report).contains("evidence-missing"));
}

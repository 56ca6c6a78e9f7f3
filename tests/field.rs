//! Evidence of real programs of which tracelink once said the wrong thing. The
//! folders of `fixtures/field` that hold a `receiver.jsonl` are bundles, named after what was broken in it
//! (`src/demo/python/faults.json`), with labels as the corpus has them.

#[allow(dead_code, reason = "each test reads the labels in its own way")]
mod labels;
mod sentence;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use labels::{complaint, labels, texts, unsaid};
use tracelink::bundle::{EvidenceOptions, read_evidence};
use tracelink::diagnosis::{Listing, LiveJudge, Pace, report};
use tracelink::evidence::{Evidence, Moment};
use tracelink::live::MemoryPlan;
use tracelink::model::{Event, Report, Severity};

fn cases() -> Vec<PathBuf> {
    let field = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/field");
    let entries = fs::read_dir(field).expect("fixtures/field is part of the project");
    let mut cases: Vec<_> = entries
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.join("receiver.jsonl").is_file())
        .collect();
    cases.sort();
    assert_eq!(cases.len(), 13, "cases are missing");
    cases
}

/// The files of a bundle whose names begin so.
fn files(case: &Path, begin: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(case).expect("readable").map(|entry| entry.expect("readable").path());
    let begins =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(begin));
    let mut files: Vec<_> = entries.filter(begins).collect();
    files.sort();
    files
}

fn read(paths: &[PathBuf], evidence: &mut Evidence) {
    let notices = read_evidence(paths, &EvidenceOptions::default(), evidence).expect("evidence");
    // The labels lie in the same folder, and are no evidence.
    let odd: Vec<_> = notices.iter().filter(|notice| !notice.is_expected).collect();
    assert!(odd.is_empty(), "{odd:?}");
}

fn diagnose(paths: &[PathBuf]) -> Report {
    let mut evidence = Evidence::default();
    read(paths, &mut evidence);
    let report = report(&evidence, evidence.clock(), Listing::default());
    sentence::assert_made_of_contexts(&report.findings);
    sentence::assert_names_no_other_broker(&report);
    report
}

#[test]
fn each_view_says_what_it_can_show() {
    for case in cases() {
        let expected = labels(&case);
        for (view, paths) in [
            ("joined", vec![case.clone()]),
            ("spans", files(&case, "spans")),
            ("queue", files(&case, "redis.0.queued")),
        ] {
            if !paths.is_empty()
                && let Some(complaint) = complaint(&diagnose(&paths), &expected, view)
            {
                panic!("{}, {view}: {complaint}", case.display());
            }
        }
    }
}

#[test]
fn more_evidence_never_says_less() {
    for case in cases() {
        let all = diagnose(std::slice::from_ref(&case));
        for part in [files(&case, "spans"), files(&case, "redis.0.queued")] {
            if !part.is_empty() {
                let unsaid = unsaid(&all, &diagnose(&part));
                assert!(unsaid.is_empty(), "{}: {unsaid:?}", case.display());
            }
        }
    }
}

#[test]
fn what_is_only_worth_a_note_gets_one() {
    for case in cases() {
        let report = diagnose(std::slice::from_ref(&case));
        for note in texts(&labels(&case)["notes"]) {
            let found = report.findings.iter().find(|finding| finding.slug == note);
            assert!(
                found.is_some_and(|found| found.severity == Severity::Note),
                "{}: {note}",
                case.display()
            );
        }
    }
}

/// The stream says what the report says, whatever came first.
#[test]
fn the_stream_says_what_diagnose_says() {
    const SETTLE: Duration = Duration::from_secs(6);
    const PACE: Pace = Pace { shown: 100, again: 100, work: Pace::WORK, thorough: true };
    let at = |seconds: u64| Moment::at(Duration::from_secs(seconds));
    for case in cases() {
        let expected = diagnose(std::slice::from_ref(&case));
        let mut parts = [files(&case, "redis"), files(&case, "spans"), files(&case, "receiver")].concat();
        for _ in 0..2 {
            let mut watch = LiveJudge::new(SETTLE, MemoryPlan::for_evidence(1 << 30));
            watch.evidence.settle_after(Duration::ZERO);
            let mut told = std::collections::BTreeSet::new();
            let mut second = 0;
            let mut hear = |events: Vec<Event>| {
                for event in events {
                    match event {
                        Event::Finding { finding, .. } => assert!(told.insert(finding.id.clone())),
                        Event::Resolved(finding) => assert!(told.remove(&finding.id)),
                        Event::Traces { .. } | Event::Limit(_) => {}
                    }
                }
            };
            for part in &parts {
                watch.set_time(at(second));
                read(std::slice::from_ref(part), &mut watch.evidence);
                second += 10;
                hear(watch.round(at(second), PACE));
            }
            for _ in 0..3 {
                second += 10;
                hear(watch.round(at(second), PACE));
            }
            assert_eq!(watch.report(Listing::default()), expected, "{}", case.display());
            let ids: std::collections::BTreeSet<_> =
                expected.findings.iter().map(|finding| finding.id.clone()).collect();
            assert_eq!(told, ids, "{}", case.display());
            parts.reverse();
        }
    }
}

//! The captures: real programs, healthy or with one thing wrong, and what must
//! be said of each in three views (`fixtures/corpus/README.md`). Those of the
//! corpus were made for it; those of the field are of strangers' programs.

#[path = "support/captures.rs"]
mod captures;
mod labels;
mod sentence;

use std::fs;
use std::path::{Path, PathBuf};

use captures::captures;
use labels::{complaint, labels, texts, unsaid};
use tracelink::bundle::{EvidenceOptions, read_evidence};
use tracelink::diagnosis::{Listing, report};
use tracelink::evidence::Evidence;
use tracelink::model::{Report, Status};

/// Every case, by its folder. A bundle is another test's (`tests/field.rs`).
fn cases() -> Vec<PathBuf> {
    let cases =
        captures(|path| path.join("expected.json").is_file() && !path.join("receiver.jsonl").exists());
    assert_eq!(cases.len(), 130 + 28, "cases are missing");
    cases
}

/// The files of a folder whose names begin and end so, in their order, without
/// empty ones.
fn files(folder: &Path, begin: &str, end: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("readable")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(begin) && name.ends_with(end) && path.metadata().is_ok_and(|file| file.len() > 0)
        })
        .collect();
    files.sort();
    files
}

fn diagnose(files: &[PathBuf]) -> Report {
    let mut evidence = Evidence::default();
    let notices =
        read_evidence(files, &EvidenceOptions::default(), &mut evidence).expect("readable evidence");
    let unexpected: Vec<_> = notices.iter().filter(|notice| notice.place.is_some()).collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
    let report = report(&evidence, evidence.clock(), Listing::default());
    sentence::assert_made_of_contexts(&report.findings);
    sentence::assert_names_no_other_broker(&report);
    report
}

/// Scores every case in one view, on the files that `pick` names.
fn score(view: &str, pick: impl Fn(&Path) -> Vec<PathBuf>) {
    let mut complaints = Vec::new();
    let mut judged = 0;
    for case in cases() {
        let files = pick(&case);
        if files.is_empty() {
            continue;
        }
        judged += 1;
        if let Some(complaint) = complaint(&diagnose(&files), &labels(&case), view) {
            complaints
                .push(format!("{}: {complaint}", case.file_name().unwrap_or_default().to_string_lossy()));
        }
    }
    assert!(judged >= 154, "only {judged} cases have this view");
    assert!(
        complaints.is_empty(),
        "{view}: {} of {judged} wrong\n{}",
        complaints.len(),
        complaints.join("\n")
    );
}

#[test]
fn a_queue_alone_names_what_it_can_show() {
    score("queue", |case| files(case, "redis.queued", ".jsonl"));
}

#[test]
fn spans_alone_name_what_they_can_show() {
    score("spans", |case| files(case, "spans", ".jsonl"));
}

#[test]
fn snapshots_and_spans_together_name_the_cause() {
    score("joined", |case| [files(case, "redis.", ".jsonl"), files(case, "spans", ".jsonl")].concat());
}

#[test]
fn protobuf_says_what_json_says() {
    score("joined", |case| [files(case, "redis.", ".jsonl"), files(case, "spans", ".binpb")].concat());
}

/// A verdict that never commits itself would never be wrong, and worthless.
#[test]
fn nine_healthy_programs_in_ten_are_told_so() {
    let (mut healthy, mut told) = (0, Vec::new());
    for case in cases() {
        let labels = labels(&case);
        let expected = &labels["expect"]["joined"];
        let says_nothing = texts(&expected["causes"]).is_empty() && texts(&expected["may"]).is_empty();
        if labels["healthy"] == true && says_nothing && labels["status"]["joined"].is_null() {
            let files = [files(&case, "redis.", ".jsonl"), files(&case, "spans", ".jsonl")].concat();
            healthy += 1;
            told.extend((diagnose(&files).verdict.status == Status::Healthy).then_some(case));
        }
    }
    assert!(healthy >= 70, "only {healthy} healthy cases");
    assert!(told.len() * 10 >= healthy * 9, "{} of {healthy} are told healthy", told.len());
}

#[test]
fn more_evidence_never_says_less() {
    for case in cases() {
        let (queue, spans) = (files(&case, "redis.queued", ".jsonl"), files(&case, "spans", ".jsonl"));
        let all = diagnose(&[files(&case, "redis.", ".jsonl"), spans.clone()].concat());
        for part in [queue, spans].iter().filter(|part| !part.is_empty()) {
            let unsaid = unsaid(&all, &diagnose(part));
            assert!(unsaid.is_empty(), "{}: {unsaid:?}", case.display());
        }
    }
}

/// A small generator of our own: the orders are the same on every machine.
struct Shuffle(u64);

impl Shuffle {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for place in (1..items.len()).rev() {
            let other = usize::try_from(self.next()).expect("31 bits") % (place + 1);
            items.swap(place, other);
        }
    }
}

/// The whole report is the same in any order of arrival, not only its verdict:
/// requests and files are shuffled, and every finding compared.
#[test]
fn the_order_of_arrival_changes_nothing() {
    const ORDERS: u64 = 20;
    let folder = tempfile::tempdir().expect("a temporary folder");
    for case in cases() {
        let mut files = [files(&case, "redis.", ".jsonl"), files(&case, "spans", ".jsonl")].concat();
        let said = |report: &Report| serde_json::to_value(report).expect("serialises");
        let first = said(&diagnose(&files));
        let spans = case.join("spans.jsonl");
        let text = fs::read_to_string(&spans).unwrap_or_default();
        let mut lines: Vec<&str> = text.lines().collect();
        let shuffled = folder.path().join("spans.jsonl");
        for order in 0..ORDERS {
            let mut shuffle = Shuffle(order + 1);
            shuffle.shuffle(&mut lines);
            shuffle.shuffle(&mut files);
            fs::write(&shuffled, lines.join("\n")).expect("writable");
            let files: Vec<_> = files
                .iter()
                .map(|file| if *file == spans { shuffled.clone() } else { file.clone() })
                .collect();
            let again = said(&diagnose(&files));
            assert_eq!(again["findings"], first["findings"], "{}, order {order}", case.display());
            assert_eq!(again, first, "{}, order {order}", case.display());
        }
    }
}

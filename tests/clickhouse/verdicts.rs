//! The captures, loaded as each exporter writes them, get the verdicts of `diagnose` for their
//! spans, or one that is less sure. Each difference is on a list.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use tracelink::bundle::{EvidenceOptions, read_evidence};
use tracelink::diagnosis::{Listing, report};
use tracelink::evidence::Evidence;
use tracelink::model::{Report, Severity, Timestamp};

use super::asked::{a_day_ago, ask, everything, seconds, two_of_each, until};
use super::captures::captures;
use super::support::clickhouse::{ClickHouse, Layout};

/// How many captures are asked about at a time.
const AT_A_TIME: usize = 2;

/// The captures of which a store says another thing at warning or above, by layout: what
/// files say and it does not (`-`), and what it says and they do not (`+`).
const DIFFERENCES: &[(&str, &str, &str)] = &[
    // Without flags, nothing says that the parent is of another process.
    ("map", "worker_made_up_parent", "-parent-not-exported +parent-not-ended"),
];

/// Captures with spans, by their folders.
fn cases() -> Vec<PathBuf> {
    let cases = captures(|path| path.join("spans.jsonl").metadata().is_ok_and(|file| file.len() > 0));
    assert!(cases.len() > 140, "only {} captures have spans", cases.len());
    cases
}

/// What files say, and from when to when their spans are.
fn of_files(case: &Path) -> (Report, Timestamp, Timestamp) {
    let mut evidence = Evidence::default();
    read_evidence(&[case.join("spans.jsonl")], &EvidenceOptions::default(), &mut evidence).expect("readable");
    let spans = || evidence.spans.traces().flat_map(|trace| &trace.spans);
    let first = spans().map(|span| span.start).min().unwrap_or_default();
    let last = spans().map(|span| span.end).max().unwrap_or_default();
    (report(&evidence, evidence.clock(), Listing::default()), first, last)
}

/// What a report says at warning or above, and its status.
fn said(report: &Report) -> BTreeSet<String> {
    let grave = report.findings.iter().filter(|finding| finding.severity < Severity::Note);
    grave.map(|finding| finding.slug.to_owned()).collect()
}

fn differences(layout: Layout, every: usize) {
    let store = ClickHouse::start();
    let end = a_day_ago();
    let mut found = Vec::new();
    for case in cases().iter().step_by(every) {
        let name = case.file_name().expect("a folder").to_string_lossy().into_owned();
        let lines = fs::read_to_string(case.join("spans.jsonl")).expect("readable");
        store.load(layout, &name, &lines, Some(seconds(end)));
        let (files, first, last) = of_files(case);
        let window = until(end, last.since(first).max(Duration::from_secs(1)));
        let asked =
            ask(&store.url(&name), &everything(window)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let database = asked.database.as_ref().expect("it was asked");
        assert!(!database.is_sample, "{name}");
        let (files_say, it_says) = (said(&files), said(&asked));
        let less = files_say.difference(&it_says).map(|slug| format!("-{slug}"));
        let more = it_says.difference(&files_say).map(|slug| format!("+{slug}"));
        let what: Vec<_> = less.chain(more).collect();
        if !what.is_empty() {
            found.push((name.clone(), what.join(" ")));
        }
        // What is said in both is said no surer.
        for finding in &asked.findings {
            let same = files.findings.iter().find(|other| other.id == finding.id);
            assert!(
                same.is_none_or(|same| finding.confidence >= same.confidence),
                "{name}: {} is surer than in files",
                finding.id
            );
        }
    }
    let known: Vec<_> = DIFFERENCES
        .iter()
        .filter(|(of, ..)| *of == layout.name())
        .map(|(_, case, what)| ((*case).to_owned(), (*what).to_owned()))
        .collect();
    assert_eq!(found, known, "{}", layout.name());
}

/// A sample of two hand-offs of each group says of no capture what the whole does not. They lie
/// in one table, each at a time of its own.
#[test]
fn a_sample_of_two_of_each_group_raises_no_other_alarm() {
    /// Longer than any capture lasts, with its margins.
    const APART: Duration = Duration::from_hours(2);
    let store = ClickHouse::start();
    store.load(Layout::Map, "captures", "", None);
    let sampled = |(case, end): &(PathBuf, Timestamp)| {
        let name = case.file_name().expect("a folder").to_string_lossy().into_owned();
        let lines = fs::read_to_string(case.join("spans.jsonl")).expect("readable");
        store.load(Layout::Map, "captures", &lines, Some(seconds(*end)));
        let (files, first, last) = of_files(case);
        let lasts = last.since(first).max(Duration::from_secs(1));
        assert!(lasts < APART / 2, "{name} lasts {lasts:?}");
        let two = two_of_each(until(*end, lasts));
        let asked = ask(&store.url("captures"), &two).unwrap_or_else(|error| panic!("{name}: {error}"));
        let spans = asked.inputs.spans;
        assert!(asked.database.as_ref().is_some_and(|database| database.is_sample) && spans > 0, "{name}");
        let more: Vec<_> = said(&asked).difference(&said(&files)).cloned().collect();
        (!more.is_empty()).then_some((name, more))
    };
    let times = std::iter::successors(Some(a_day_ago()), |end| Some(end.before(APART)));
    let cases: Vec<_> = cases().into_iter().zip(times).collect();
    let of_thread = &|cases: &[_]| cases.iter().filter_map(sampled).collect::<Vec<_>>();
    let found: Vec<_> = thread::scope(|scope| {
        let parts = cases.chunks(cases.len().div_ceil(AT_A_TIME));
        let threads: Vec<_> = parts.map(|part| scope.spawn(move || of_thread(part))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no case fails")).collect()
    });
    let known: Vec<_> = DIFFERENCES
        .iter()
        .filter(|(of, ..)| *of == Layout::Map.name())
        .map(|(_, case, what)| {
            let more = what.split(' ').filter_map(|slug| slug.strip_prefix('+')).map(str::to_owned);
            ((*case).to_owned(), more.collect::<Vec<_>>())
        })
        .collect();
    assert_eq!(found, known);
}

#[test]
fn the_collectors_maps_give_the_verdicts_of_files() {
    differences(Layout::Map, 1);
}

/// A third, for time: all of them gave the same when it was written.
#[test]
fn signoz_gives_the_verdicts_of_files() {
    differences(Layout::SigNoz, 3);
}

/// It differs from the maps in how attributes are asked for, and in nothing else.
#[test]
fn the_collectors_json_gives_them_too() {
    differences(Layout::Json, 5);
}

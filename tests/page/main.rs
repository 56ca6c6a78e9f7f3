//! The page of `--format html` in a headless Chromium: opened from a disk, read, searched,
//! printed, and made to do what it should not. `tests/python/page.py` is the reader.

#![allow(clippy::disallowed_methods, reason = "the variable that updates pictures is for developers")]

#[path = "../formats/hostile.rs"]
mod hostile;
#[path = "../formats/reports.rs"]
mod reports;
#[path = "../support/mod.rs"]
mod support;
mod traces;

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use tracelink::model::{Report, Severity};
use tracelink::report::html::{Map, Passage, QueueRow, When, groups, live};
use tracelink::report::stitched::Health;
use tracelink::report::{FormatName, Subject, Verbosity, View};

fn written(report: &Report, subject: Subject) -> String {
    let view = View {
        width: 80,
        verbosity: Verbosity::Normal,
        broker: None,
        evidence: reports::EVIDENCE.iter().map(Into::into).collect(),
        program: "tracelink".to_owned(),
        fails_at: Severity::Error,
        exit_code: 1,
    };
    let mut out = Vec::new();
    FormatName::Html.writer().report(report, subject, &view, &mut out).expect("writes to memory");
    String::from_utf8(out).expect("UTF-8")
}

struct Pages(TempDir);

impl Pages {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn with(self, name: &str, report: &Report, subject: Subject) -> Self {
        fs::write(self.path().join(format!("{name}.html")), written(report, subject)).expect("ours");
        self
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn open(&self, how: &str) -> String {
        let folder = self.path().to_str().expect("UTF-8");
        support::python::script("page", "page.py", &[how, folder])
    }
}

#[test]
fn a_person_reads_it() {
    let error =
        Report { error: Some("cannot reach redis://127.0.0.1:6379/0".to_owned()), ..Report::default() };
    Pages::new()
        .with("golden", &reports::golden(), Subject::Handoffs)
        .with(
            "marked",
            &reports::of(&["fixtures/corpus/manual_malformed_traceparent_upper"]),
            Subject::Handoffs,
        )
        .with("unproven", &reports::of(&["fixtures/corpus/worker_no_sdk/spans.jsonl"]), Subject::Handoffs)
        .with("queue", &reports::queue(), Subject::Queue)
        .with("empty", &Report::default(), Subject::Handoffs)
        .with("error", &error, Subject::Handoffs)
        .open("read");
}

/// Whatever is judged: the page has the one script that its policy names, blocks of data,
/// and nothing that the policy would forbid.
#[test]
fn every_report_is_a_page_that_keeps_its_own_policy() {
    let mut texts: Vec<(String, String)> = Vec::new();
    for case in reports::corpus() {
        let report = reports::of(&[&format!("fixtures/corpus/{case}")]);
        texts.push((case, written(&report, Subject::Handoffs)));
    }
    texts.push(("many".to_owned(), written(&reports::many(), Subject::Handoffs)));
    for (number, text) in hostile::texts().into_iter().enumerate() {
        texts.push((format!("hostile {number}"), written(&hostile::report(&text), Subject::Queue)));
        let error = Report { error: Some(text), ..Report::default() };
        texts.push((format!("error {number}"), written(&error, Subject::Handoffs)));
    }
    for (name, text) in texts {
        let (head, rest) = text.split_once("</style>").expect("a style sheet");
        let (script, body) = rest.split_once("</script>").expect("a script");
        assert!(
            head.contains("http-equiv=\"Content-Security-Policy\"") && script.contains("module"),
            "{name}"
        );
        let data = body.matches("<script type=\"text/html\" id=\"detail-").count();
        assert_eq!(body.matches("<script").count(), data, "{name}");
        assert_eq!(body.matches("</script").count(), data, "{name}");
        assert!(!body.contains("<!--") && text.ends_with("</html>"), "{name}");
        for tag in body.split('<').filter_map(|piece| Some(piece.split_once('>')?.0)) {
            // Within quotes anything may stand.
            let names: String = tag.split('"').step_by(2).collect();
            let is_forbidden =
                [" style=", " on", " src=", "javascript:"].iter().any(|word| names.contains(word));
            assert!(!is_forbidden, "{name}: {tag}");
        }
        assert!((text.len() as u64) < MOST, "{name}: {}", text.len());
    }
}

#[test]
fn every_trace_and_hand_off_is_in_one_passage() {
    for report in reports::corpus().iter().map(|case| reports::of(&[&format!("fixtures/corpus/{case}")])) {
        let groups = groups(&report);
        let mut traces: Vec<_> =
            groups.iter().flat_map(|(traces, _)| traces).map(|one| one.trace_id).collect();
        traces.sort();
        let mut listed: Vec<_> = report.traces.iter().map(|one| one.trace_id).collect();
        listed.sort();
        assert_eq!(traces, listed);
        assert_eq!(groups.iter().map(|(_, handoffs)| handoffs.len()).sum::<usize>(), report.handoffs.len());
        for (traces, handoffs) in &groups {
            let ends = handoffs.iter().flat_map(|one| one.producer.iter().chain(&one.consumers));
            for (end, _) in ends.filter(|(end, _)| listed.contains(end)) {
                assert!(traces.iter().any(|trace| trace.trace_id == *end), "{end} is in another passage");
            }
        }
    }
}

#[test]
fn a_map_has_as_many_boxes_as_there_is_room_for() {
    let names: Vec<_> = (0..100).map(|number| format!("queue-{number}")).collect();
    let row = |name| QueueRow { name, ready: 1, held: 0, workers: None, oldest: None, history: &[] };
    let queues: Vec<_> = names.iter().map(|name| row(name)).collect();
    let report = reports::of(&["fixtures/corpus/propagator_api_b3multi_worker_w3c"]);
    let passage = Passage {
        id: 1,
        came: None,
        health: Health::Broken,
        title: "",
        task: "",
        services: &[],
        duration_ms: None,
        queue_wait_ms: None,
        when: When::At(None),
        station: None,
        code: None,
        findings: &[],
        traces: &report.traces,
        handoffs: &report.handoffs,
    };
    // Which of the queues it was cannot be said.
    let drawn = live::map(&Map::of([passage], &queues));
    assert_eq!(drawn.matches("<rect").count(), 24);
    assert!(drawn.contains("79 more services and queues"), "{drawn}");
    assert!(drawn.contains("a queue to order-worker: 1, 1 broken"), "{drawn}");
    let drawn = live::map(&Map::of([passage], &queues[..1]));
    assert!(drawn.contains("order-api to queue queue-0: 1<"), "{drawn}");
}

#[test]
fn a_screen_reader_reads_it() {
    let pages = Pages::new().with("golden", &reports::golden(), Subject::Handoffs);
    insta::assert_snapshot!(pages.open("heard"));
}

#[test]
fn a_text_from_outside_is_text() {
    let texts = hostile::texts();
    let mut pages = Pages::new();
    for (number, text) in texts.iter().enumerate() {
        pages = pages.with(&format!("hostile-{number}"), &hostile::report(text), Subject::Handoffs);
    }
    let shown: Vec<_> = texts.iter().map(|text| hostile::shown(text)).collect();
    fs::write(pages.path().join("shown.json"), serde_json::to_string(&shown).expect("JSON")).expect("ours");
    pages.open("hostile");
}

/// How large a file may be at most.
const MOST: u64 = 16 << 20;

#[test]
fn a_file_is_bounded_and_says_what_it_leaves_out() {
    let pages = Pages::new().with("large", &traces::report(60, 2_000), Subject::Handoffs).with(
        "deep",
        &traces::report(1, 10_000),
        Subject::Handoffs,
    );
    let size = fs::metadata(pages.path().join("large.html")).expect("written").len();
    assert!(size < MOST, "{size}");
    pages.open("large");
}

#[test]
fn all_of_it_can_be_printed() {
    let some = traces::report(60, 20);
    let large = traces::report(60, 2_000);
    let pages = Pages::new().with("some", &some, Subject::Handoffs).with("large", &large, Subject::Handoffs);
    pages.open("everything");
}

/// The pictures of the README. `UPDATE_PICTURES=1 cargo test --test page pictures` writes
/// them anew; otherwise they have to be there, and small.
#[test]
fn pictures_of_it_are_in_the_docs() {
    const SMALL: u64 = 80_000;
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    if std::env::var_os("UPDATE_PICTURES").is_some() {
        let pages = Pages::new().with("golden", &reports::golden(), Subject::Handoffs);
        let folder = pages.path().to_str().expect("UTF-8");
        support::python::script("page", "page.py", &["pictures", folder, docs.to_str().expect("UTF-8")]);
    }
    for name in ["page.png", "page-dark.png"] {
        let size = fs::metadata(docs.join(name)).unwrap_or_else(|error| panic!("{name}: {error}")).len();
        assert!((1_000..SMALL).contains(&size), "{name}: {size}");
    }
}

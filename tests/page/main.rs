//! The page of `--format html` in a headless Chromium: opened from a disk, read, searched,
//! printed, and made to do what it should not. `tests/python/page.py` is the reader.

#![allow(clippy::disallowed_methods, reason = "the variable that updates pictures is for developers")]

#[path = "../formats/hostile.rs"]
mod hostile;
#[path = "../formats/reports.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod reports;
#[path = "../support/mod.rs"]
mod support;
mod traces;

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use tracelink::model::{Report, Severity};
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
const MOST: u64 = 17 << 20;

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

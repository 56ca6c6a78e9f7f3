//! How the page of `--format html` draws and scrolls in Chromium: a report of 100,000
//! spans, and one trace of 10,000.
//!
//! `cargo bench --bench page`. It wants an idle machine. The first frame is to come within
//! 50 ms of the navigation, and a frame while a trace scrolls within 100 ms.

#[path = "../tests/support/mod.rs"]
mod support;
#[path = "../tests/page/traces.rs"]
mod traces;

use tracelink::model::Report;
use tracelink::report::{FormatName, Subject, View};

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, report: &Report| {
        let path = folder.path().join(name);
        let text = written(report);
        println!("{name}: {} KiB", text.len() >> 10);
        std::fs::write(path, text).expect("ours");
    };
    write("many.html", &traces::report(100, 1_000));
    write("deep.html", &traces::report(1, 10_000));
    let folder = folder.path().to_str().expect("UTF-8");
    print!("{}", support::python::script("page", "measure_page.py", &[folder]));
}

fn written(report: &Report) -> String {
    let view = View::default();
    let mut out = Vec::new();
    FormatName::Html.writer().report(report, Subject::Handoffs, &view, &mut out).expect("memory");
    String::from_utf8(out).expect("UTF-8")
}

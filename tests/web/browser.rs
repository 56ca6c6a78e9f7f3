//! The page in Chromium, live: `tests/python/live_page.py` and `demo_page.py` are the readers.

use std::path::Path;

use super::commands::Page;
use super::listener::Listener;
use super::live::{BROKEN, HEALTHY};
use super::support::python;

#[test]
fn an_open_page_shows_what_comes_and_survives_the_end() {
    let listener = Listener::start(&["--web", "0", "--settle", "300ms"]);
    let spans = |case: &str| {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus").join(case);
        corpus.join("spans.jsonl").to_str().expect("UTF-8").to_owned()
    };
    let numbers = [u32::from(listener.web), u32::from(listener.http), listener.id()];
    let mut args: Vec<_> = numbers.iter().map(u32::to_string).collect();
    args.extend([spans(HEALTHY), spans(BROKEN)]);
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    python::script("page", "live_page.py", &args);
    assert_eq!(listener.wait().code, Some(1));
}

/// The demo is kept running, so that nothing ends while it is looked at.
#[test]
fn the_demo_is_seen_healthy_and_broken() {
    for (fault, health) in [(None, "whole"), (Some("propagator-mismatch"), "broken")] {
        let mut args = vec!["demo", "--pace", "0.1", "--keep", "--web", "0", "--format", "json"];
        args.extend(fault.into_iter().flat_map(|fault| ["--fault", fault]));
        let mut page = Page::start(&args);
        python::script("page", "demo_page.py", &[&page.port.to_string(), health]);
        assert_eq!(page.interrupt(), Some(130), "{health}");
    }
}

//! The page in Chromium, live: `tests/python/live_page.py` is the reader.

use std::path::Path;

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

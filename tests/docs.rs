//! What is written about the diagnoses is written once, in their sources.

#![allow(clippy::disallowed_methods, reason = "UPDATE_DOCS is the test's own switch")]

use std::collections::BTreeSet;
use std::path::Path;

use tracelink::diagnosis;
use tracelink::report::explanation;

#[test]
fn codes_and_slugs_are_unique_and_documented() {
    let all = diagnosis::all();
    let codes: BTreeSet<_> = all.iter().map(|diagnosis| diagnosis.code).collect();
    let slugs: BTreeSet<_> = all.iter().map(|diagnosis| diagnosis.slug).collect();
    assert_eq!((codes.len(), slugs.len()), (all.len(), all.len()));
    for diagnosis in all {
        let (code, doc) = (diagnosis.code, diagnosis.doc);
        assert!(code.len() == 5 && code.starts_with("TL"), "{code}");
        for heading in [" ## What it means\n", " ## What shows it\n", " ## How to fix it\n"] {
            assert!(doc.contains(heading), "{code} lacks{heading}");
        }
        assert!(!diagnosis.summary.ends_with('.'), "{code}: a summary has no full stop");
        assert!(diagnosis::find(&code.to_lowercase()).is_some_and(|found| found.slug == diagnosis.slug));
    }
}

/// Set `UPDATE_DOCS=1` to write the page anew.
#[test]
fn the_page_of_diagnoses_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/diagnoses.md");
    let page = explanation::page(&diagnosis::all());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).expect("writable");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/diagnoses.md is stale: UPDATE_DOCS=1 cargo test --test docs");
}

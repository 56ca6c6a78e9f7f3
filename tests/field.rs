//! Evidence of real programs of which tracelink once said the wrong thing. Each
//! folder of `fixtures/field` is a bundle, named after what was broken in it
//! (`src/demo/python/faults.json`).

use std::path::Path;

use tracelink::bundle::{Reading, read_evidence};
use tracelink::diagnosis::{Listing, report};
use tracelink::evidence::Evidence;
use tracelink::model::Severity;

/// What is said at warning or above.
fn said(case: &str) -> Vec<&'static str> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/field").join(case);
    let mut evidence = Evidence::default();
    read_evidence(&[folder], &Reading::default(), &mut evidence).expect("a bundle");
    let report = report(&evidence, evidence.clock(), Listing::default());
    let loud = report.findings.iter().filter(|finding| finding.severity < Severity::Note);
    loud.map(|finding| finding.slug).collect()
}

#[test]
fn a_run_that_left_parts_is_not_silent() {
    assert_eq!(said("parent-not-ended"), ["parent-not-ended"]);
}

#[test]
fn a_span_that_leaked_inside_a_run_is_missed() {
    assert_eq!(said("parent-not-ended-inside"), ["parent-not-ended"]);
}

#[test]
fn a_format_that_is_not_read_is_no_wrong_key() {
    assert_eq!(said("article-propagators-differ"), ["propagator-mismatch"]);
}

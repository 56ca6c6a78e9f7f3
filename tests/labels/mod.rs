//! What must be said of captured evidence (`expected.json`), and what is wrong
//! with a report by it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tracelink::model::{Report, Severity};

/// The labels of a case.
pub fn labels(case: &Path) -> Value {
    serde_json::from_slice(&fs::read(case.join("expected.json")).expect("readable")).expect("JSON")
}

/// The texts of a list.
pub fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().map_or(&[][..], Vec::as_slice);
    list.iter().map(|text| text.as_str().expect("a text").to_owned()).collect()
}

/// What is wrong with a report, by what is expected of the case in this view: its
/// causes, the first of which is named first (`beside` lists true ones that may
/// come before it), what else may be said, and the status where one is wanted.
pub fn complaint(report: &Report, labels: &Value, view: &str) -> Option<String> {
    let expected = &labels["expect"][view];
    assert!(expected["causes"].is_array() && expected["may"].is_array(), "no labels for this view");
    let (causes, may) = (texts(&expected["causes"]), texts(&expected["may"]));
    let got: Vec<&str> = report
        .findings
        .iter()
        .filter(|finding| finding.severity < Severity::Note)
        .map(|finding| finding.slug)
        .collect();
    let named: BTreeSet<&str> = causes.iter().flat_map(|cause| cause.split('|')).collect();
    let beside = texts(&expected["beside"]);
    let is_missing = causes.iter().any(|cause| !cause.split('|').any(|slug| got.contains(&slug)));
    let is_false = got.iter().any(|slug| !named.contains(slug) && !may.iter().any(|allowed| allowed == slug));
    let is_late = !causes.is_empty()
        && !got
            .first()
            .is_some_and(|first| named.contains(first) || beside.iter().any(|true_too| true_too == first));
    let status = report.verdict.status.label();
    if let Some(wanted) = labels["status"][view].as_str().filter(|wanted| *wanted != status) {
        return Some(format!("want the status {wanted}, got {status}"));
    }
    (is_missing || is_false || is_late).then(|| format!("want {causes:?}, may {may:?}, got {got:?}"))
}

/// The hand-offs of which a part of the evidence says something at warning or
/// above, and all of it neither does nor says that it retracts it.
pub fn unsaid(all: &Report, part: &Report) -> Vec<String> {
    let is_grave = |id: &str, report: &Report| {
        report.findings.iter().any(|finding| finding.id == id && finding.severity < Severity::Note)
    };
    let named = |report: &Report| -> BTreeSet<(String, &'static str)> {
        let by_handoff = report.handoffs.iter().filter_map(|handoff| {
            let id = handoff.finding.as_deref().filter(|id| is_grave(id, report))?;
            let finding = report.findings.iter().find(|finding| finding.id == id)?;
            Some((handoff.task_id.clone(), finding.slug))
        });
        let grave = report.findings.iter().filter(|finding| finding.severity < Severity::Note);
        let by_finding =
            grave.flat_map(|finding| finding.handoffs.iter().map(|id| (id.clone(), finding.slug)));
        by_handoff.chain(by_finding).collect()
    };
    let said: BTreeSet<_> = named(all).into_iter().map(|(id, _)| id).collect();
    let is_retracted = |slug: &str| all.retracted.iter().any(|retracted| retracted.slug == slug);
    let missing = named(part).into_iter().filter(|(id, slug)| !said.contains(id) && !is_retracted(slug));
    missing.map(|(id, slug)| format!("{slug} of {id}")).collect()
}

//! Every diagnosis: a scene in which it speaks, and one beside it in which it
//! must not. The corpus holds what real programs left; this holds the rest of
//! the catalogue, and the borders of each rule.

mod carry;
mod delivery;
mod export;
mod export_parents;
mod export_worker_silent;
mod extract;
mod extract_fixes;
mod identity;
mod inject;
mod inject_context_lost;
mod inject_fixes;
mod inject_other_context;
mod links;
mod looks_alike;
mod privacy;
mod sampling;
#[path = "../scene/mod.rs"]
mod scene;
mod tree;
mod verdict;

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::process::Command;

use scene::{Scene, message, span};
use serde_json::json;
use tracelink::model::Confidence::{self, Certain, Likely, Possible};
use tracelink::model::Fix;
use tracelink::model::Severity::{self, Error, Note, Warning};

const TRACEPARENT: &str = "00-000000000000000000000000000000aa-00000000000000b1-01";

/// What a healthy request leaves: SERVER b0, PRODUCER b1, run b2 in the trace aa.
fn healthy() -> Scene {
    Scene::default()
        .look(1_000, |look| look.ready(message("t1").header("traceparent", TRACEPARENT)))
        .look(9_000, |look| look.worker().result("t1", json!({"status": "SUCCESS"})))
        .span(span("api", "POST /orders", "server", 0xaa, 0xb0).at(0, 500))
        .span(producer(0xaa, 0xb1).under(0xb0))
        .span(run(0xaa, 0xb2).under(0xb1).remote())
}

fn healthy_without_run() -> Scene {
    Scene::default()
        .look(1_000, |look| look.ready(message("t1").header("traceparent", TRACEPARENT)))
        .look(9_000, |look| look.worker().result("t1", json!({"status": "SUCCESS"})))
        .span(server())
        .span(producer(0xaa, 0xb1).under(0xb0))
}

/// A task that was published, as spans alone show it.
fn published_alone() -> Scene {
    Scene::default().span(server()).span(producer(0xaa, 0xb1).under(0xb0))
}

/// A task works in one place, and nothing says whether it is done.
fn may_run() -> Scene {
    Scene::default()
        .look(1_000, |look| look.ready(message("t1").header("traceparent", TRACEPARENT)))
        .look(9_000, scene::Look::worker)
        .span(server())
        .span(producer(0xaa, 0xb1).under(0xb0))
}

fn producer(trace: u8, id: u8) -> scene::SpanBuilder {
    span("api", "apply_async/work", "producer", trace, id)
        .at(100, 110)
        .text("celery.action", "apply_async")
        .text("messaging.message.id", "t1")
        .text("celery.task_name", "work")
        .text("messaging.destination", "celery")
}

fn run(trace: u8, id: u8) -> scene::SpanBuilder {
    span("worker", "run/work", "consumer", trace, id)
        .at(2_000, 3_000)
        .text("celery.action", "run")
        .text("celery.state", "SUCCESS")
        .text("messaging.message.id", "t1")
        .text("celery.task_name", "work")
        .text("celery.hostname", "gen7@web-1")
}

fn server() -> scene::SpanBuilder {
    span("api", "POST /orders", "server", 0xaa, 0xb0).at(0, 500)
}

/// How it is said: the severity, and how sure it is where a test cares.
struct Wanted {
    severity: Severity,
    confidence: Option<Confidence>,
}

impl From<Severity> for Wanted {
    fn from(severity: Severity) -> Self {
        Self { severity, confidence: None }
    }
}

impl From<(Severity, Confidence)> for Wanted {
    fn from((severity, confidence): (Severity, Confidence)) -> Self {
        Self { severity, confidence: Some(confidence) }
    }
}

fn says(scene: Scene, slug: &str, wanted: impl Into<Wanted>) {
    let Wanted { severity, confidence } = wanted.into();
    let report = scene.report();
    let found = report.findings.iter().find(|finding| finding.slug == slug);
    let said: Vec<_> =
        report.findings.iter().map(|finding| (finding.slug, finding.severity, finding.confidence)).collect();
    assert!(
        found.is_some_and(|finding| finding.severity == severity
            && confidence.is_none_or(|confidence| finding.confidence == confidence)),
        "wanted {slug} as {severity:?} ({confidence:?}), got {said:?}"
    );
    let found = found.expect("checked above");
    assert!(!found.evidence.is_empty(), "{slug} quotes nothing");
    assert!(!found.fix.is_empty() || severity == Note, "{slug} has no fix");
    record("says", slug);
}

/// The ways to mend what a scene shows, the best first.
fn fixes_of(scene: Scene, slug: &str) -> Vec<Fix> {
    let report = scene.report();
    let found = report.findings.into_iter().find(|finding| finding.slug == slug);
    found.unwrap_or_else(|| panic!("{slug} does not speak")).fixes
}

/// What is done first, and what besides, by their titles.
fn mends(scene: Scene, slug: &str, titles: &[&str]) {
    let fixes = fixes_of(scene, slug);
    let said: Vec<_> = fixes.iter().map(|fix| &*fix.title).collect();
    assert_eq!(said, titles, "{slug}");
}

/// Whether the first fix has this line.
fn pastes(scene: Scene, slug: &str, line: &str) {
    let fixes = fixes_of(scene, slug);
    let lines: Vec<_> = fixes[0].steps.iter().flat_map(|step| &step.lines).collect();
    assert!(lines.iter().any(|pasted| pasted.trim() == line), "{slug} pastes {lines:#?}");
}

fn is_silent(scene: Scene, slug: &str) {
    assert!(tracelink::diagnosis::find(slug).is_some(), "no diagnosis is called {slug}");
    let report = scene.report();
    assert!(
        report.findings.iter().all(|finding| finding.slug != slug),
        "{slug} speaks: {:?}",
        report.findings
    );
    record("is_silent", slug);
}

/// Nothing at warning or above.
fn is_healthy(scene: Scene) {
    let report = scene.report();
    let faults: Vec<_> = report.findings.iter().filter(|finding| finding.severity < Note).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

fn queued(message: scene::MessageBuilder) -> Scene {
    Scene::default().look(1_000, |look| look.ready(message))
}

#[test]
fn a_healthy_request_is_healthy() {
    is_healthy(healthy());
}

/// Names the file to which each scene adds the diagnosis that it tried.
const RECORD: &str = "TRACELINK_CATALOGUE_RECORD";

/// Notes that a diagnosis spoke, or was silent, as its scene demands.
#[allow(clippy::disallowed_methods, reason = "the variable is the test's own")]
fn record(what: &str, slug: &str) {
    let Some(path) = std::env::var_os(RECORD) else { return };
    let mut file = OpenOptions::new().append(true).open(path).expect("the test that reads it made it");
    file.write_all(format!("{what} {slug}\n").as_bytes()).expect("writable");
}

/// A diagnosis that no scene makes speak is not tested, and one that is silent in no
/// scene has no border. All scenes run once more, and what they tried is counted.
#[test]
fn every_diagnosis_has_its_scene() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let scenes = Command::new(std::env::current_exe().expect("these tests"))
        .args(["--skip", "every_diagnosis_has_its_scene"])
        .env(RECORD, file.path())
        .output()
        .expect("they run");
    assert!(scenes.status.success(), "a scene fails: {}", String::from_utf8_lossy(&scenes.stdout));
    let record = std::fs::read_to_string(file.path()).expect("UTF-8");
    let tried: BTreeSet<&str> = record.lines().collect();
    let wanted = tracelink::diagnosis::all()
        .into_iter()
        .flat_map(|diagnosis| ["says", "is_silent"].map(|what| format!("{what} {}", diagnosis.slug)));
    let missing: Vec<_> = wanted.filter(|wanted| !tried.contains(&**wanted)).collect();
    assert!(missing.is_empty(), "no scene for {missing:?}");
}

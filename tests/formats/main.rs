//! Every format that another program reads, held by snapshots of one report and read
//! by a program that is not ours: lxml and Jenkins's schema (JUnit), the schema of
//! OASIS (SARIF), GitHub's own parser of Markdown, and GitHub's own writer of
//! annotations.

mod hostile;
mod reports;

#[path = "../support/mod.rs"]
mod support;

use std::fs;

use jsonschema::Validator;
use serde_json::Value;
use tracelink::model::{Report, Severity};
use tracelink::report::text::acts_on_a_terminal;
use tracelink::report::{FormatName, Subject, Verbosity, View};

use reports::{EVIDENCE, golden};

/// How many characters a comment of GitHub may have.
const COMMENT: usize = 65_536;

fn written(format: FormatName, report: &Report, subject: Subject) -> String {
    let evidence = EVIDENCE.iter().map(Into::into).collect();
    let view = View {
        width: 80,
        verbosity: Verbosity::Normal,
        broker: None,
        evidence,
        program: "tracelink".to_owned(),
        fails_at: Severity::Error,
        exit_code: 1,
    };
    let mut out = Vec::new();
    format.writer().report(report, subject, &view, &mut out).expect("writes to memory");
    String::from_utf8(out).expect("UTF-8")
}

macro_rules! snapshots {
    ($($name:ident: $format:ident;)+) => {
        $(#[test]
        fn $name() {
            insta::assert_snapshot!(written(FormatName::$format, &golden(), Subject::Handoffs));
        })+
    };
}

snapshots! {
    a_report_in_markdown: Markdown;
    a_report_in_junit: Junit;
    a_report_in_sarif: Sarif;
    a_report_in_annotations: Github;
}

fn sarif_schema() -> Validator {
    let text = include_str!("../schemas/sarif-2.1.0.json");
    let mut schema: Value = serde_json::from_str(text).expect("JSON");
    for pointer in ["/definitions/run/properties/language", "/definitions/toolComponent/properties/language"]
    {
        // It closes a bracket that it does not open, and tracelink names no language.
        let language = schema.pointer_mut(pointer).and_then(Value::as_object_mut).expect("a property");
        language.remove("pattern").expect("a pattern");
    }
    jsonschema::validator_for(&schema).expect("a schema")
}

fn assert_sarif(schema: &Validator, text: &str, whose: &str) -> Value {
    let log: Value = serde_json::from_str(text).expect("JSON");
    let errors: Vec<_> =
        schema.iter_errors(&log).map(|error| format!("{error} at {}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{whose}: {}", errors.join("\n"));
    log
}

/// All that was judged, the worst that can be put in, and what is no report at all:
/// one after the other, as some are large.
fn each(mut act: impl FnMut(&str, &Report, Subject)) {
    act("golden", &golden(), Subject::Handoffs);
    act("queue", &reports::queue(), Subject::Queue);
    act("empty", &Report::default(), Subject::Handoffs);
    act("empty-queue", &Report::default(), Subject::Queue);
    act("many", &reports::many(), Subject::Handoffs);
    for case in reports::corpus() {
        act(
            &format!("corpus-{case}"),
            &reports::of(&[&format!("fixtures/corpus/{case}")]),
            Subject::Handoffs,
        );
    }
    for (number, text) in hostile::texts().into_iter().enumerate() {
        let report = hostile::report(&text);
        act(&format!("hostile-{number}"), &report, Subject::Handoffs);
        act(&format!("hostile-queue-{number}"), &report, Subject::Queue);
        let error = Report { error: Some(text), ..Report::default() };
        act(&format!("error-{number}"), &error, Subject::Handoffs);
    }
}

/// Writes all of it in a format, each to a file of its own, and returns the folder.
fn all_in(format: FormatName) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    each(|name, report, subject| {
        let text = written(format, report, subject);
        assert!(
            !text.chars().any(|letter| letter != '\n' && acts_on_a_terminal(letter)),
            "{format:?} {name}"
        );
        fs::write(folder.path().join(name), text).expect("the folder is ours");
    });
    let shown: Vec<_> = hostile::texts().iter().map(|text| hostile::shown(text)).collect();
    fs::write(folder.path().join("shown.json"), serde_json::to_string(&shown).expect("JSON")).expect("ours");
    folder
}

#[test]
fn jenkins_reads_every_junit_report() {
    let folder = all_in(FormatName::Junit);
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schemas/junit-10.xsd");
    let folder = folder.path().to_str().expect("UTF-8");
    let said = support::python::script("formats", "read_formats.py", &["junit", folder, schema]);
    let count: Value = serde_json::from_str(&said).expect("JSON");
    // One case is broken, one is unproven, the others are whole or warned of.
    assert_eq!(count["golden"], serde_json::json!({"tests": 5, "failures": 1, "errors": 0, "skipped": 1}));
    assert_eq!(count["empty"], serde_json::json!({"tests": 1, "failures": 0, "errors": 1, "skipped": 0}));
}

#[test]
fn github_renders_every_markdown_report() {
    let folder = all_in(FormatName::Markdown);
    for entry in fs::read_dir(folder.path()).expect("it is there") {
        let path = entry.expect("readable").path();
        let text = fs::read_to_string(&path).expect("UTF-8");
        assert!(path.ends_with("shown.json") || text.encode_utf16().count() <= COMMENT, "{}", path.display());
    }
    let path = folder.path().to_str().expect("UTF-8");
    let said = support::python::script("formats", "read_formats.py", &["markdown", path]);
    let seen: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(seen["golden"]["languages"], serde_json::json!(["python", "sh", "text"]));
    // The two that are whole are one row.
    assert_eq!(seen["golden"]["rows"], 4);
    let many = fs::read_to_string(folder.path().join("many")).expect("it was written");
    assert!(many.contains("findings left out for want of room"), "{many}");
}

#[test]
fn every_sarif_report_follows_the_schema_of_oasis() {
    let schema = sarif_schema();
    each(|name, report, subject| {
        let log = assert_sarif(&schema, &written(FormatName::Sarif, report, subject), name);
        let results = log["runs"][0]["results"].as_array().expect("a list");
        assert_eq!(results.len(), report.findings.len(), "{name}");
        for (result, finding) in results.iter().zip(&report.findings) {
            let index = usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("small");
            assert_eq!(log["runs"][0]["tool"]["driver"]["rules"][index]["id"], finding.code);
            // What GitHub refuses a whole file for the lack of.
            let location = &result["locations"][0]["physicalLocation"]["artifactLocation"];
            assert_eq!(location["uri"], EVIDENCE[0], "{name}");
        }
    });
}

#[test]
fn a_result_keeps_its_fingerprint_however_often_it_is_seen() {
    let fingerprints = |report: &Report| {
        let log: Value =
            serde_json::from_str(&written(FormatName::Sarif, report, Subject::Handoffs)).expect("JSON");
        let results = log["runs"][0]["results"].as_array().expect("a list").clone();
        results.iter().map(|result| result["partialFingerprints"].to_string()).collect::<Vec<_>>()
    };
    let mut again = golden();
    for finding in &mut again.findings {
        finding.count += 100;
        finding.origins.insert("gen9@another-host".to_owned());
        finding.handoffs.insert("another-id".to_owned());
        finding.evidence.clear();
    }
    let before = fingerprints(&golden());
    assert_eq!(fingerprints(&again), before);
    let unique: std::collections::BTreeSet<_> = before.iter().collect();
    assert_eq!(unique.len(), before.len());
}

#[test]
fn github_would_write_every_annotation_so_itself() {
    const SHOWN: usize = 10;
    let folder = all_in(FormatName::Github);
    let path = folder.path().to_str().expect("UTF-8");
    let said = support::node::script("annotations.js", &[path]);
    let seen: Value = serde_json::from_str(&said).expect("JSON");
    for (name, annotations) in seen.as_object().expect("an object") {
        let annotations = annotations.as_array().expect("a list");
        for kind in ["error", "warning", "notice"] {
            let number = annotations.iter().filter(|annotation| annotation["kind"] == kind).count();
            assert!(number <= SHOWN, "{name}: {number} of {kind}");
        }
        assert!(!annotations.is_empty(), "{name}");
    }
    let kinds: Vec<_> = seen["golden"].as_array().expect("a list").iter().map(|one| &one["kind"]).collect();
    assert_eq!(kinds, ["error", "error", "warning", "notice"]);
    for (number, text) in hostile::texts().iter().enumerate() {
        let annotations = seen[format!("hostile-{number}")].as_array().expect("a list");
        let shown = hostile::shown(text);
        let is_told =
            |annotation: &Value| annotation["message"].as_str().is_some_and(|said| said.contains(&shown));
        assert!(annotations.iter().any(is_told), "{shown}");
    }
}

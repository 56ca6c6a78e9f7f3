//! `sarif`: SARIF 2.1.0, for viewers of results
//! (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>).
//!
//! A trace has no source file, and none is made up. A result has *logical* locations: the
//! tasks, services and queues that it concerns. Its physical location is the evidence, if
//! that was read from a file; `docs/ci.md` says what viewers do with either.

use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use serde_json::{Value, json};

use super::database::looked_at;
use super::explanation;
use super::format::{Format, Subject, View};
use super::json_document::TerminalSafe;
use super::quoted::underlined;
use super::text::{clip, plural};
use crate::diagnosis;
use crate::model::{Finding, InBaseline, Report, Severity};

/// Writes one run, a result for each finding.
#[derive(Default)]
pub struct Sarif;

/// How many characters of a name and of a sentence are written, and how many of
/// what is listed.
const NAME: usize = 200;
const SENTENCE: usize = 500;
const LISTED: usize = 20;

impl Format for Sarif {
    fn media_type(&self) -> &'static str {
        "application/sarif+json"
    }

    fn report(&mut self, report: &Report, _: Subject, view: &View, out: &mut dyn Write) -> io::Result<()> {
        let rules = rules(report);
        let results: Vec<_> = report.findings.iter().map(|finding| result(finding, &rules, view)).collect();
        let log = json!({
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": {"driver": {
                    "name": "tracelink",
                    "version": env!("CARGO_PKG_VERSION"),
                    "semanticVersion": env!("CARGO_PKG_VERSION"),
                    "rules": rules.iter().map(|rule| described(rule)).collect::<Vec<_>>(),
                }},
                "invocations": [invocation(report, view)],
                "results": results,
                "properties": properties(report),
            }],
        });
        serde_json::to_writer_pretty(TerminalSafe(&mut *out), &log)?;
        writeln!(out)
    }
}

fn properties(report: &Report) -> Value {
    let mut properties = json!({"verdict": report.verdict.status});
    if report.live {
        properties["live"] = true.into();
    }
    if let Some(told) = report.database.as_ref().and_then(looked_at) {
        properties["sample"] = message(&told).into();
    }
    properties
}

/// The rules of what was found, in the order of the findings.
fn rules(report: &Report) -> Vec<&'static diagnosis::Diagnosis> {
    let mut rules = Vec::new();
    for finding in &report.findings {
        let is_there = rules.iter().any(|rule: &&diagnosis::Diagnosis| rule.code == finding.code);
        rules.extend(diagnosis::find(finding.code).filter(|_| !is_there));
    }
    rules
}

fn described(rule: &diagnosis::Diagnosis) -> Value {
    let mut described = json!({
        "id": rule.code,
        "name": rule.slug,
        "shortDescription": {"text": sentence(rule.summary)},
        "fullDescription": {"text": sentence(rule.summary)},
        "help": {
            "text": format!("tracelink explain {}", rule.code),
            "markdown": explanation::of(rule),
        },
        "defaultConfiguration": {"level": level(rule.severity)},
        "properties": {"tags": ["celery", "opentelemetry", "tracing"]},
    });
    // Without a repository there is no page to link to.
    let repository = env!("CARGO_PKG_REPOSITORY");
    if !repository.is_empty() {
        let anchor = format!("{}-{}", rule.code.to_lowercase(), rule.slug);
        described["helpUri"] = format!("{repository}/blob/main/docs/diagnoses.md#{anchor}").into();
    }
    described
}

fn result(finding: &Finding, rules: &[&diagnosis::Diagnosis], view: &View) -> Value {
    let names = [
        ("function", "task", &finding.tasks),
        ("module", "service", &finding.services),
        ("resource", "queue", &finding.queues),
    ];
    let logical: Vec<_> = names
        .into_iter()
        .flat_map(|(kind, what, names)| names.iter().take(LISTED).map(move |name| (kind, what, name)))
        .map(|(kind, what, name)| {
            let name = clip(name, NAME);
            json!({"name": name, "kind": kind, "fullyQualifiedName": format!("{what} {name}")})
        })
        .collect();
    let mut location = json!({});
    if !logical.is_empty() {
        location["logicalLocations"] = logical.into();
    }
    if let Some(first) = view.evidence.first() {
        location["physicalLocation"] = physical(first);
    }
    let is_somewhere = location.as_object().is_some_and(|location| !location.is_empty());
    let related: Vec<_> = view
        .evidence
        .iter()
        .skip(1)
        .take(LISTED)
        .map(|path| json!({"physicalLocation": physical(path)}))
        .collect();
    let evidence: Vec<_> = finding
        .evidence
        .iter()
        .take(LISTED)
        .map(|quote| json!({"at": clip(&quote.at, NAME), "text": underlined(quote, SENTENCE).0, "note": clip(&quote.note, SENTENCE)}))
        .collect();
    let mut result = json!({
        "ruleId": finding.code,
        "kind": "fail",
        "level": level(finding.severity),
        "message": {"text": message(&told(finding))},
        "locations": is_somewhere.then_some(location).into_iter().collect::<Vec<_>>(),
        "partialFingerprints": {
            "tracelinkFinding/v1": clip(&finding.id, NAME),
            // The one that GitHub reads, in the shape that it expects.
            "primaryLocationLineHash": format!("{:016x}:1", fingerprint(&finding.id)),
        },
        "properties": {
            "confidence": finding.confidence,
            "station": finding.station,
            "count": finding.count,
            "handoffs": finding.handoffs.iter().map(|id| clip(id, NAME)).collect::<Vec<_>>(),
            "evidence": evidence,
            "fix": finding.fix.iter().map(|line| clip(line, SENTENCE)).collect::<Vec<_>>(),
            "needs": finding.needs.iter().map(|need| clip(need, SENTENCE)).collect::<Vec<_>>(),
        },
    });
    if let Some(index) = rules.iter().position(|rule| rule.code == finding.code) {
        result["ruleIndex"] = index.into();
    }
    if let Some(baseline) = finding.baseline {
        result["baselineState"] = match baseline {
            InBaseline::New => "new".into(),
            InBaseline::Known => "unchanged".into(),
        };
    }
    if !related.is_empty() {
        result["relatedLocations"] = related.into();
    }
    result
}

/// What a viewer shows of a result: the cause first, as a sentence of its own.
fn told(finding: &Finding) -> String {
    let mut lines = vec![sentence(&clip(&finding.message, SENTENCE))];
    if let Some(station) = finding.station {
        let times = plural(finding.count, "time");
        lines.push(format!("Seen {times}, at the station \"{}\".", station.label()));
    }
    if let Some(fix) = finding.fixes.first() {
        lines.push(sentence(&format!("to mend it, {}", clip(&fix.title, SENTENCE))));
    }
    lines.join("\n")
}

/// How the run went: what is unproven is no result, so it is here.
fn invocation(report: &Report, view: &View) -> Value {
    let gaps = report.verdict.unproven.iter().map(|gap| {
        let what = match gap.count {
            0 => gap.what.to_owned(),
            number => format!("{} {}", plural(number, "hand-off"), gap.what),
        };
        let text = message(&format!("unproven: {what}. To know: {}.", gap.needs));
        json!({"level": "note", "message": {"text": text}, "descriptor": {"id": gap.reason}})
    });
    let error = report.error.as_ref().map(|error| {
        let lines: Vec<_> = error.lines().take(LISTED).map(|line| clip(line, SENTENCE)).collect();
        json!({"level": "error", "message": {"text": message(&lines.join("\n"))}})
    });
    json!({
        "executionSuccessful": report.error.is_none(),
        "exitCode": view.exit_code,
        "toolExecutionNotifications": error.into_iter().chain(gaps).collect::<Vec<_>>(),
    })
}

const fn level(severity: Severity) -> &'static str {
    severity.label()
}

/// With a capital letter and a full stop, as viewers show it.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    let text: String = first.into_iter().flatten().chain(letters).collect();
    if text.ends_with(['.', '…']) { text } else { text + "." }
}

/// A message without anything that a viewer would replace (§3.11.5) or take for a link
/// (§3.11.6).
fn message(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}").replace("](", "]\u{20}(")
}

/// The same on each machine and in each version, so that a known result is recognised:
/// FNV-1a.
fn fingerprint(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The whole of a file.
fn physical(path: &Path) -> Value {
    json!({"artifactLocation": {"uri": uri(path)}})
}

/// A path as a reference: relative as it was named, otherwise with a scheme.
fn uri(path: &Path) -> String {
    const PLAIN: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_').remove(b'~');
    let path = path.strip_prefix(".").unwrap_or(path);
    let bytes = path.as_os_str().as_bytes();
    let written = percent_encode(if bytes.is_empty() { b"." } else { bytes }, PLAIN).to_string();
    if path.is_absolute() { format!("file://{written}") } else { written }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_reference() {
        assert_eq!(uri(Path::new("./a b/ü:%.jsonl")), "a%20b/%C3%BC%3A%25.jsonl");
        assert_eq!(uri(Path::new("/tmp/x")), "file:///tmp/x");
        assert_eq!(uri(Path::new(".")), ".");
    }

    #[test]
    fn a_fingerprint_does_not_change() {
        assert_eq!(fingerprint(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fingerprint("a"), 0xaf63_dc4c_8601_ec8c);
    }

    #[test]
    fn a_message_holds_no_place_and_no_link() {
        assert_eq!(message("{0} [x](http://y)"), "{{0}} [x] (http://y)");
    }
}

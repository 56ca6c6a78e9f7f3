//! That a finding's sentence is its template with its context put in, as a
//! program that reads the JSON would put it in; and that no finding names a
//! broker that is not the user's.

use serde_json::Value;
use tracelink::model::{Finding, Report};

/// Fails where what a person is told to do names an address of a broker that is
/// in no evidence, or a kind of broker of which nothing was seen.
pub fn assert_names_no_other_broker(report: &Report) {
    const SCHEMES: [&str; 6] =
        ["redis://", "rediss://", "redis+socket://", "sentinel://", "amqp://", "amqps://"];
    for finding in &report.findings {
        let quotes = finding.evidence.iter().map(|quote| format!("{} {}", quote.at, quote.text));
        let quoted = quotes.collect::<Vec<_>>().join("\n");
        let other = finding.alternatives.iter().map(|other| &other.why);
        for line in finding.fix.iter().chain(&finding.needs).chain(other).chain([&finding.message]) {
            for scheme in SCHEMES.iter().filter(|scheme| line.contains(*scheme)) {
                assert!(quoted.contains(scheme), "{} names a broker that nobody has: {line}", finding.id);
            }
            let is_redis = report.inputs.snapshots > 0 || quoted.to_lowercase().contains("redis");
            assert!(is_redis || !line.to_lowercase().contains("redis"), "{} names Redis: {line}", finding.id);
        }
    }
    for gap in &report.verdict.unproven {
        assert!(!gap.needs.contains("://") && !gap.needs.to_lowercase().contains("redis"), "{}", gap.needs);
    }
}

/// Fails where a sentence is not made of its template and its context alone.
pub fn assert_made_of_contexts(findings: &[Finding]) {
    for finding in findings {
        let json = serde_json::to_value(finding).expect("it serialises");
        let context = json["context"].as_object().expect("always an object");
        let mut sentence = finding.sentence.template().to_owned();
        for (key, value) in context {
            let place = format!("{{{key}}}");
            assert!(sentence.contains(&place), "{}: `{key}` is not said", finding.id);
            sentence = sentence.replace(&place, &in_words(value));
        }
        assert_eq!(json["message"], sentence, "{}", finding.id);
    }
}

fn in_words(value: &Value) -> String {
    match value {
        Value::Array(list) => list.iter().map(in_words).collect::<Vec<_>>().join(" and "),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

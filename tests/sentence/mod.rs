//! That a finding's sentence is its template with its context put in, as a
//! program that reads the JSON would put it in.

use serde_json::Value;
use tracelink::model::Finding;

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

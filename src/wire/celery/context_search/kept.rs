//! What may be saved of what was searched: the contexts that were found, in their place and
//! their wrapping, and nothing else. A search of it finds the same.

use serde_json::{Map, Value};

use crate::model::Encoding;
use crate::wire::celery::bounded;
use crate::wire::celery::wrapping::python_dict;
use crate::wire::context::ids::{self, Pair};

/// `None` where nothing was found in a value, or nothing is to be saved.
pub type Kept = Option<Value>;

/// What is kept of a member that no propagator reads: ids of the application's own, or
/// what was found in it.
pub fn member(own_ids: Option<&Pair<'_>>, name: &str, value: &Value, found: Kept) -> Kept {
    let Some(pair) = own_ids else { return found };
    if [pair.trace, pair.span].contains(&name) {
        return Some(value.clone());
    }
    found.or_else(|| (pair.flags == Some(name)).then(|| ids::flags_alone(value)))
}

/// A text in which a value is wrapped as JSON, or as JSON in JSON. It has no single quotes, so
/// it may stand in the repr of a dict.
pub fn json_text(value: Value, wrapping: Encoding) -> String {
    let text = value.to_string();
    let text = if wrapping == Encoding::JsonInJson { Value::String(text).to_string() } else { text };
    text.replace('\'', "\\u0027")
}

/// The members as Python's `repr` writes a dict of texts. Their escapes are still there.
pub fn repr_text(members: &Map<String, Value>) -> Option<String> {
    let pairs: Option<Vec<_>> = members
        .iter()
        .map(|(name, value)| Some(format!("{}: {}", quoted(name), quoted(value.as_str()?))))
        .collect();
    let pairs = pairs?.join(", ");
    let text = format!("{{{pairs}}}");
    // With double quotes alone it would be JSON.
    let text = if bounded::read(text.as_bytes()).is_ok() { format!("{{{pairs},}}") } else { text };
    (python_dict(&text) == *members).then_some(text)
}

fn quoted(text: &str) -> String {
    let quote = if python_dict(&format!("'{text}': ''")).contains_key(text) { '\'' } else { '"' };
    format!("{quote}{text}{quote}")
}

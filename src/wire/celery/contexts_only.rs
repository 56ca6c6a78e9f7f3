//! What may be saved of a value: the contexts that a search of the message finds, with
//! their place and their wrapping, and nothing else.

use serde_json::{Map, Value};

use super::bounded;
use super::carrier::Carrier;
use super::context_search::ContextSearch;
use super::field::Field;
use super::wrapping::{bytes_of, python_dict, unwrapped};
use crate::wire::context::ids;

/// How many carriers within carriers are looked into.
const DEPTH: usize = 8;

/// The value of a header or property with this name; `None` if it holds no context. Empty
/// values are kept: that a carrier is empty is evidence.
pub fn context_under(name: &str, value: &Value) -> Option<Value> {
    member(name, value, DEPTH)
}

/// The same value with nothing left in it but contexts; `None` if it holds none.
pub fn contexts_of(value: &Value) -> Option<Value> {
    search(value, DEPTH)
}

fn member(name: &str, value: &Value, depth: usize) -> Option<Value> {
    if is_empty(value) {
        return Some(value.clone());
    }
    Field::of(name).map_or_else(|| search(value, depth), |(field, _)| Some(field.redacted(value)))
}

fn search(value: &Value, depth: usize) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    match value {
        Value::Object(map) => match bytes_of(map) {
            Some(text) => {
                let text = search_text(text, depth)?;
                Some(serde_json::json!({"__type__": "bytes", "__value__": text}))
            }
            None => {
                let own_ids = ids_of(map.iter().map(|(name, value)| (name.as_str(), value)));
                let kept = map.iter().filter_map(|(name, value)| {
                    let is_id = own_ids.contains(&name.as_str());
                    let kept = if is_id { value.clone() } else { member(name, value, depth)? };
                    Some((name.clone(), kept))
                });
                let kept: Map<_, _> = kept.collect();
                let has_some = kept.values().any(|value| !is_empty(value));
                (has_some || (map.is_empty())).then_some(Value::Object(kept))
            }
        },
        Value::Array(list) => {
            if let Some(pairs) = pairs(list) {
                let kept = pairs.into_iter().filter_map(|(name, value)| {
                    Some(Value::Array(vec![name.into(), member(name, value, depth)?]))
                });
                let kept: Vec<_> = kept.collect();
                return (!kept.is_empty()).then_some(Value::Array(kept));
            }
            let mut kept: Vec<_> = list.iter().map(|value| search(value, depth)).collect();
            for (place, pair) in list.windows(2).enumerate() {
                if ids::of_two(&pair[0], &pair[1]).is_some() {
                    kept[place] = Some(pair[0].clone());
                    kept[place + 1] = Some(pair[1].clone());
                }
            }
            let has_some = kept.iter().any(Option::is_some);
            has_some.then(|| kept.into_iter().map(Option::unwrap_or_default).collect())
        }
        Value::String(text) => search_text(text, depth).map(Value::String),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// Which of these names hold a trace id and a span id together.
pub fn ids_of<'v>(members: impl Iterator<Item = (&'v str, &'v Value)> + Clone) -> Vec<&'v str> {
    let own = members.clone().filter(|(name, _)| !Carrier::knows(name)).take(ContextSearch::MEMBERS);
    let Some(pair) = ids::of_mapping(own) else { return Vec::new() };
    let is_number = |name: &&str| members.clone().any(|(other, value)| other == *name && value.is_number());
    [pair.trace, pair.span].into_iter().chain(pair.flags.filter(is_number)).collect()
}

/// A text that is a context, or in which a carrier is wrapped. It keeps its wrapping and
/// loses what is private.
fn search_text(text: &str, depth: usize) -> Option<String> {
    let is_seen = {
        let mut search = ContextSearch::default();
        search.arguments(&Value::String(text.to_owned()), "args");
        !search.contexts.is_empty()
    };
    if !is_seen {
        // The repr of a tuple, or a dict past an argument.
        return python_repr(text, depth);
    }
    match unwrapped(text.trim()) {
        None => Some(text.to_owned()),
        Some(_) => {
            let inner: Option<Value> = bounded::read(text.trim().as_bytes()).ok();
            match inner {
                Some(inner) => Some(search(&inner, depth)?.to_string()),
                None => python_repr(text, depth),
            }
        }
    }
}

/// The members of the dicts in a Python repr that are contexts or hold some, as a dict.
fn python_repr(text: &str, depth: usize) -> Option<String> {
    let members = python_dict(text);
    let own_ids = ids_of(members.iter().map(|(name, value)| (name.as_str(), value)));
    let kept = members.iter().filter_map(|(name, value)| {
        let is_id = own_ids.contains(&name.as_str());
        let kept = if is_id { value.clone() } else { member(name, value, depth)? };
        let is_context = is_id || Carrier::knows(name) || !is_empty(&kept);
        is_context.then(|| (name, kept.as_str().unwrap_or_default().to_owned()))
    });
    let kept: Vec<_> = kept.collect();
    if kept.iter().all(|(name, _)| is_baggage(name)) {
        return None;
    }
    let written = kept.iter().map(|(name, value)| format!("{}: {}", quoted(name), quoted(value)));
    Some(format!("{{{}}}", written.collect::<Vec<_>>().join(", ")))
}

/// A text of a Python repr, whose escapes are there: only quotes of one kind stand in it.
fn quoted(text: &str) -> String {
    let quote = if python_dict(&format!("'{text}': ''")).contains_key(text) { '\'' } else { '"' };
    format!("{quote}{text}{quote}")
}

/// A list of pairs, which is a mapping to Python's `dict`.
fn pairs(list: &[Value]) -> Option<Vec<(&str, &Value)>> {
    let pair = |item: &'_ Value| match item.as_array()?.as_slice() {
        [Value::String(_), _] => Some(()),
        _ => None,
    };
    list.iter().map(pair).collect::<Option<Vec<()>>>()?;
    let pairs = list.iter().filter_map(|item| Some((item[0].as_str()?, &item[1])));
    Some(pairs.collect()).filter(|pairs: &Vec<_>| !pairs.is_empty())
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => matches!(text.trim(), "" | "null" | "{}" | "\"{}\""),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn is_baggage(name: &str) -> bool {
    name.eq_ignore_ascii_case("baggage")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(repr: &str) -> Vec<crate::model::CarriedContext> {
        let mut search = ContextSearch::default();
        search.repr(repr, "kwargsrepr");
        search.contexts
    }

    /// Regression: only contexts under their own names were kept.
    #[test]
    fn of_a_repr_is_kept_what_is_found_in_it() {
        const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let json = format!(r#"{{"traceparent": "{TRACEPARENT}", "who": "bob"}}"#);
        for repr in [
            format!("{{'who': 'bob', 'traceparent': '{TRACEPARENT}'}}"),
            format!("{{'who': 'bob', 'trace_context': '{json}'}}"),
            format!("['bob', {{'ctx': \"{{'traceparent': '{TRACEPARENT}', 'who': 'bob'}}\"}}]"),
            format!(
                "{{'trace_id': '{}', 'span_id': '{}', 'who': 'bob'}}",
                &TRACEPARENT[3..35],
                &TRACEPARENT[36..52]
            ),
        ] {
            let kept = contexts_of(&repr.clone().into()).expect("it holds one");
            let kept = kept.as_str().expect("a text");
            assert!(!kept.contains("bob"), "{kept}");
            assert_eq!((found(kept), found(kept).len()), (found(&repr), 1), "{repr}: {kept}");
        }
    }
}

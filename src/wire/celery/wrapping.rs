//! The ways in which applications wrap a carrier into one value of a header:
//! JSON, JSON inside JSON, the `str()` of a dict, kombu's bytes.

use serde_json::{Map, Value};

use super::bounded;
use crate::model::Encoding;

/// The text in kombu's wrapper for bytes, `{"__type__": "bytes", "__value__": "…"}`
/// (`kombu.utils.json`).
pub fn bytes_of(map: &Map<String, Value>) -> Option<&str> {
    (map.get("__type__")? == "bytes").then(|| map.get("__value__")?.as_str()).flatten()
}

/// The value that a text holds, and how it is written there.
pub fn unwrapped(text: &str) -> Option<(Encoding, Value)> {
    let json = || bounded::read(text.as_bytes()).ok();
    match text.as_bytes().first()? {
        b'{' => {
            let value = json().map(|value| (Encoding::JsonText, value));
            value.or_else(|| Some((Encoding::PythonRepr, Value::Object(python_dict(text)))))
        }
        b'[' => json().map(|value| (Encoding::JsonText, value)),
        b'"' => match json()? {
            Value::String(inner) => {
                bounded::read(inner.trim().as_bytes()).ok().map(|value| (Encoding::JsonInJson, value))
            }
            _ => None,
        },
        _ => None,
    }
}

/// The members in the repr of a Python dict whose keys and values are texts, including
/// those of nested dicts. Escapes stay: no context has any.
pub fn python_dict(repr: &str) -> Map<String, Value> {
    const MEMBERS: usize = 256;
    let mut members = Map::new();
    let (mut key, mut rest) = (None, repr);
    while let Some((gap, text, after)) = python_text(rest)
        && members.len() < MEMBERS
    {
        rest = after;
        key = match key {
            Some(key) if gap.trim() == ":" => {
                members.insert(key, text.into());
                None
            }
            _ => Some(text.to_owned()),
        };
    }
    members
}

/// The first text between quotes of either kind: what comes before it, the text, and what
/// comes after it.
fn python_text(repr: &str) -> Option<(&str, &str, &str)> {
    let bytes = repr.as_bytes();
    let open = memchr::memchr2(b'\'', b'"', bytes)?;
    let mut close = open + 1;
    loop {
        close += memchr::memchr2(bytes[open], b'\\', bytes.get(close..)?)?;
        if bytes[close] == bytes[open] {
            return Some((&repr[..open], &repr[open + 1..close], &repr[close + 1..]));
        }
        // A backslash, and what it escapes.
        close += 2;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn each_wrapping_is_told_from_the_others() {
        let carrier = json!({"traceparent": "00-a"});
        for (text, encoding) in [
            (r#"{"traceparent": "00-a"}"#, Encoding::JsonText),
            (r#""{\"traceparent\": \"00-a\"}""#, Encoding::JsonInJson),
            ("{'traceparent': '00-a'}", Encoding::PythonRepr),
        ] {
            assert_eq!(unwrapped(text), Some((encoding, carrier.clone())), "{text}");
        }
        for plain in ["", "00-a", "\"", "[1,", "\"DHL\""] {
            assert_eq!(unwrapped(plain), None, "{plain}");
        }
    }

    #[test]
    fn quotes_of_the_other_kind_and_escapes_do_not_end_a_text() {
        let repr =
            r#"('o1', {'name': "O'Brien", 'say': 'it\'s', 'n': 2, 'carrier': {'traceparent': '00-a'}})"#;
        let expected = json!({"name": "O'Brien", "say": r"it\'s", "traceparent": "00-a"});
        assert_eq!(Value::Object(python_dict(repr)), expected);
        assert_eq!(python_dict("{'traceparent': '00-4bf92f35...").len(), 0);
    }

    proptest! {
        #[test]
        fn no_repr_panics(repr in "[a'\"\\\\:{} é]{0,40}") {
            python_dict(&repr);
        }
    }
}

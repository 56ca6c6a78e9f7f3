//! Fields that may hold anything, and must not cost us the message.
//!
//! Each is taken as a JSON token, which no content can break (a number beyond 64 bits, half
//! of a surrogate pair), and is read from that.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Visitor};
use serde_json::value::RawValue;

/// A text, borrowed if it has no escapes; `None` for anything else.
#[derive(Clone, Default, Debug, PartialEq)]
pub struct Text<'a>(pub Option<Cow<'a, str>>);

/// A number or a flag; 0 for anything else.
#[derive(Clone, Copy, Default, Debug, PartialEq)]
pub struct Number(pub f64);

/// The key of a map, borrowed if it has no escapes.
#[derive(Clone, Debug, PartialEq)]
pub struct Key<'a>(pub Cow<'a, str>);

/// The text of a token that is a string.
pub fn text(token: &RawValue) -> Option<Cow<'_, str>> {
    let quoted = token.get();
    let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
    match memchr::memchr(b'\\', inner.as_bytes()) {
        None => Some(Cow::Borrowed(inner)),
        Some(_) => serde_json::from_str(quoted).ok().map(Cow::Owned),
    }
}

/// A token that is a string or a number, as a text.
pub fn scalar(token: &RawValue) -> Option<Cow<'_, str>> {
    let is_number = token.get().starts_with(|first: char| first == '-' || first.is_ascii_digit());
    if is_number { Some(Cow::Borrowed(token.get())) } else { text(token) }
}

impl Text<'_> {
    pub fn as_deref(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl Number {
    /// As a count: 0 if it is negative or not a number, and the largest count if it is
    /// larger.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates, which is what a hostile number gets"
    )]
    pub fn count(self) -> u32 {
        self.0 as u32
    }

    pub fn is_true(self) -> bool {
        self.0 != 0.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(deserializer).map(|token| Self(text(token)))
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let token = <&RawValue>::deserialize(deserializer)?.get();
        Ok(Self(match token {
            "true" => 1.0,
            _ => token.trim_matches('"').trim().parse().unwrap_or(0.0),
        }))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(key)))
            }

            fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }
        }

        deserializer.deserialize_str(KeyVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_borrowed_unless_escapes_forbid_it() {
        let read = |json| serde_json::from_str::<Text<'_>>(json).expect("any value will do").0;
        assert!(matches!(read(r#""plain""#), Some(Cow::Borrowed("plain"))));
        assert!(matches!(read(r#""caf\u00e9""#), Some(Cow::Owned(text)) if text == "café"));
        for odd in ["null", "7", "1e999", "[[]]", r#"{"a": 1}"#, r#""\ud800""#] {
            assert_eq!(read(odd), None, "{odd}");
        }
    }

    #[test]
    fn counts_saturate_and_odd_ones_are_zero() {
        let count = |json| serde_json::from_str::<Number>(json).expect("any value will do").count();
        for (json, expected) in
            [("3", 3), (r#""3""#, 3), ("-1", 0), ("1e999", u32::MAX), ("true", 1), ("null", 0), ("[3]", 0)]
        {
            assert_eq!(count(json), expected, "{json}");
        }
    }
}

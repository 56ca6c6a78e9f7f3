//! Fields that may hold anything, and must not lose the message for it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A text that is borrowed where it has no escapes; `None` of anything else.
#[derive(Clone, Default, Debug, PartialEq)]
pub struct Text<'a>(pub Option<Cow<'a, str>>);

impl Text<'_> {
    pub fn as_deref(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

/// A number or a flag; 0 of anything else.
#[derive(Clone, Copy, Default, Debug, PartialEq)]
pub struct Number(pub f64);

/// The key of a map, borrowed where it has no escapes.
#[derive(Clone, Debug, PartialEq)]
pub struct Key<'a>(pub Cow<'a, str>);

struct TextVisitor;

/// Takes what is no text, so that what follows it can be read.
macro_rules! anything_else_is {
    ($nothing:expr) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("any value")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($nothing)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok($nothing)
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok($nothing)
        }
    };
}

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Option<Cow<'de, str>>;

    anything_else_is!(None);

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor).map(Self)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor).map(|key| Self(key.unwrap_or_default()))
    }
}

struct NumberVisitor;

impl<'de> Visitor<'de> for NumberVisitor {
    type Value = Number;

    anything_else_is!(Number(0.0));

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Number(text.trim().parse().unwrap_or(0.0)))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(Number(f64::from(u8::from(flag))))
    }

    #[allow(clippy::cast_precision_loss, reason = "retries and seconds are far below 2^53")]
    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Number(number as f64))
    }

    #[allow(clippy::cast_precision_loss, reason = "retries and seconds are far below 2^53")]
    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Number(number))
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

impl Number {
    /// As a count: 0 of what is negative, no number, or too large.
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

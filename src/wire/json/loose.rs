//! A value of a type that exporters do not agree on.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::model::{AttributeValue, Timestamp};

/// A number or a text, whichever came.
#[derive(Clone, Default)]
pub enum Loose<'a> {
    #[default]
    Nothing,
    Text(Cow<'a, str>),
    Bool(bool),
    Int(i128),
    Double(f64),
}

impl<'de: 'a, 'a> Deserialize<'de> for Loose<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyVisitor;

        impl<'de> Visitor<'de> for AnyVisitor {
            type Value = Loose<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("any value")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Loose::Nothing)
            }

            fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
                Ok(Loose::Bool(flag))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
                Ok(Loose::Int(number.into()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Loose::Int(number.into()))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
                Ok(Loose::Double(number))
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Loose::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Loose::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Loose::Nothing)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Loose::Nothing)
            }
        }

        deserializer.deserialize_any(AnyVisitor)
    }
}

impl<'a> Loose<'a> {
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            _ => "",
        }
    }

    pub fn into_text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => text,
            _ => Cow::Borrowed(""),
        }
    }

    /// As an integer, which JSON may hold as a number or as a string.
    pub fn int(&self) -> Option<i128> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    pub fn double(&self) -> Option<f64> {
        match self {
            Self::Double(number) => Some(*number),
            #[allow(clippy::cast_precision_loss, reason = "a double was meant")]
            Self::Int(number) => Some(*number as f64),
            Self::Text(text) => text.parse().ok(),
            Self::Nothing | Self::Bool(_) => None,
        }
    }

    /// As an attribute, of the type that it has in JSON.
    pub fn into_attribute(self) -> AttributeValue<'a> {
        match self {
            Self::Nothing => AttributeValue::Other,
            Self::Text(text) => AttributeValue::Text(text),
            Self::Bool(flag) => AttributeValue::Bool(flag),
            Self::Int(number) => i64::try_from(number).map_or(AttributeValue::Other, AttributeValue::Int),
            Self::Double(number) => AttributeValue::Double(number),
        }
    }

    /// As a point in time, in nanoseconds.
    pub fn time(&self) -> Timestamp {
        Timestamp::from_nanos(self.int().and_then(|number| u64::try_from(number).ok()).unwrap_or(0))
    }
}

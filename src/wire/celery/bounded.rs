//! JSON as plain values, of which there are only so many.
//!
//! `[0,0,…]` of 16 MiB, which deflates to a few kilobytes, is a value of 256 MiB.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// How many values a body or a header may hold. A body of a task has a few
/// hundred.
const VALUES: usize = 100_000;

/// Reads a document of at most 100,000 values.
///
/// # Errors
///
/// What `serde_json` says; that there are more values, too.
pub fn read(json: &[u8]) -> Result<Value, serde_json::Error> {
    let mut room = VALUES;
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let value = Bounded(&mut room).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

struct Bounded<'r>(&'r mut usize);

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.0.checked_sub(1) {
            Some(room) => *self.0 = room,
            None => return Err(D::Error::custom("more than 100,000 values")),
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(flag.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = seq.next_element_seed(Bounded(self.0))? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            map.insert(key, access.next_value_seed(Bounded(self.0))?);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_reads_as_it_is() {
        let value = json!([["o1", {"n": 2, "f": 1.5, "é": [true, null, -3]}], {}, u64::MAX]);
        assert_eq!(read(value.to_string().as_bytes()).expect("JSON"), value);
        assert!(read(b"[1] 2").is_err() && read(b"").is_err());
    }

    #[test]
    fn more_values_than_anybody_looks_at_are_an_error() {
        let list = |count: usize| format!("[{}0]", "0,".repeat(count - 1));
        assert!(read(list(VALUES - 1).as_bytes()).is_ok());
        let error = read(list(VALUES).as_bytes()).expect_err("too many");
        assert!(error.to_string().starts_with("more than 100,000 values"), "{error}");
    }
}

//! JSON as plain values, up to a limited number of them.
//!
//! `[0,0,…]` of 16 MiB, which deflates to a few kilobytes, is a value of 256 MiB.
//! An integer of more than 64 bits, as Python writes a trace id, is read as the
//! text of its digits: as a number it would lose most of them.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// How many values a body or a header may hold. A task's body has a few hundred.
const VALUES: usize = 100_000;

/// Reads a document of at most 100,000 values.
///
/// # Errors
///
/// The error of `serde_json`, also if there are more values.
pub fn read(json: &[u8]) -> Result<Value, serde_json::Error> {
    let mut room = VALUES;
    let json = with_long_integers_quoted(json);
    let mut deserializer = serde_json::Deserializer::from_slice(&json);
    let value = Bounded(&mut room).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// An integer with more digits may need more than 64 bits.
const DIGITS: usize = 19;

/// The document with each integer of more than 64 bits turned into a text. What is not JSON
/// stays as it is.
fn with_long_integers_quoted(json: &[u8]) -> Cow<'_, [u8]> {
    let mut quoted: Vec<u8> = Vec::new();
    // How far it was copied, and where the search goes on.
    let (mut copied, mut at) = (0, 0);
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => at += 1 + text_length(&json[at + 1..]),
            b'0'..=b'9' => {
                let length = json[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                let is_integer = !matches!(json.get(at + length), Some(b'.' | b'e' | b'E'))
                    && !matches!(json[..at].last(), Some(b'.' | b'e' | b'E' | b'-' | b'+'));
                let is_long = || {
                    std::str::from_utf8(&json[at..at + length]).is_ok_and(|text| text.parse::<u64>().is_err())
                };
                if length > DIGITS && is_integer && is_long() {
                    quoted.extend_from_slice(&json[copied..at]);
                    quoted.push(b'"');
                    quoted.extend_from_slice(&json[at..at + length]);
                    quoted.push(b'"');
                    copied = at + length;
                }
                at += length;
            }
            _ => at += 1,
        }
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    quoted.extend_from_slice(&json[copied..]);
    Cow::Owned(quoted)
}

/// The length of a text after its opening quote, including the closing one.
fn text_length(rest: &[u8]) -> usize {
    let mut at = 0;
    while let Some(found) = memchr::memchr2(b'"', b'\\', rest.get(at..).unwrap_or_default()) {
        if rest[at + found] == b'"' {
            return at + found + 1;
        }
        at += found + 2;
    }
    rest.len()
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
    fn an_integer_beyond_64_bits_keeps_its_digits() {
        let id = "277896087055150629367166123606433568090";
        let json = format!(r#"{{"a\"{id}": [{id}, -{id}, {id}.5, {id}e2, 18446744073709551615, "{id}"]}}"#);
        let value = read(json.as_bytes()).expect("JSON");
        let list = value[format!("a\"{id}")].as_array().expect("a list");
        assert_eq!(list[0], id);
        assert!(list[1].is_f64() && list[2].is_f64() && list[3].is_f64(), "{list:?}");
        assert_eq!(list[4], u64::MAX);
        assert_eq!(list[5], id);
        assert_eq!(read(id.as_bytes()).expect("JSON"), id);
        assert!(read(format!("{id}{{").as_bytes()).is_err() && read(b"\"\\").is_err());
    }

    #[test]
    fn more_values_than_anybody_looks_at_are_an_error() {
        let list = |count: usize| format!("[{}0]", "0,".repeat(count - 1));
        assert!(read(list(VALUES - 1).as_bytes()).is_ok());
        let error = read(list(VALUES).as_bytes()).expect_err("too many");
        assert!(error.to_string().starts_with("more than 100,000 values"), "{error}");
    }
}

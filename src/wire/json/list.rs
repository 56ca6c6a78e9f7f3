//! Lists, walked one element at a time.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::object::Object;

/// A list that was not parsed yet; `None` for null.
pub type List<'a> = Option<&'a RawValue>;

/// What reading a part returns, or the error of `serde_json`.
pub type Step<T> = Result<T, serde_json::Error>;

/// Walks a list of objects, one at a time.
pub fn each<'a, T: Deserialize<'a>>(list: List<'a>, each: impl FnMut(T) -> Step<()>) -> Step<()> {
    let Some(list) = list else { return Ok(()) };
    let mut json = serde_json::Deserializer::from_str(list.get());
    Elements { each, of: PhantomData }.deserialize(&mut json)
}

struct Elements<T, F> {
    each: F,
    of: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>, F: FnMut(T) -> Step<()>> DeserializeSeed<'de> for Elements<T, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Deserialize<'de>, F: FnMut(T) -> Step<()>> Visitor<'de> for Elements<T, F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(Object(element)) = list.next_element()? {
            (self.each)(element).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

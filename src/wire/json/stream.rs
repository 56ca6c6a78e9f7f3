//! JSON that is too long to be held: it is read from a reader, a part at a time.
//!
//! A parser holds the part that it is at: a span, a trace. Text from outside may make any
//! part endless, so a reader gives only so many bytes until whoever walks the document says
//! that the part is done with.

use std::cell::Cell;
use std::io::{self, Read};

use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::list::Step;

/// How many more bytes of a document may be read before a part of it has to end.
#[derive(Debug)]
pub struct Allowance {
    most: usize,
    left: Cell<usize>,
}

impl Allowance {
    /// Allows for parts of at most so many bytes.
    pub const fn new(most: usize) -> Self {
        Self { most, left: Cell::new(most) }
    }

    /// A part has ended, and of what was read only so many bytes are still held.
    pub fn renew(&self, held: usize) {
        self.left.set(self.most.saturating_sub(held));
    }

    /// Whether a part was too long.
    pub fn is_used_up(&self) -> bool {
        self.left.get() == 0
    }

    /// A reader of the same text, which ends in an error where a part is too long.
    pub const fn apply<R: Read>(&self, reader: R) -> Rationed<'_, R> {
        Rationed { reader, allowance: self }
    }
}

/// A reader that takes from an [`Allowance`].
#[derive(Debug)]
pub struct Rationed<'a, R> {
    reader: R,
    allowance: &'a Allowance,
}

impl<R: Read> Read for Rationed<'_, R> {
    #[inline]
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = self.allowance.left.get();
        if left == 0 {
            return Err(io::Error::other("a part of the document is too long"));
        }
        let most = left.min(into.len());
        let count = self.reader.read(&mut into[..most])?;
        self.allowance.left.set(left - count);
        Ok(count)
    }
}

/// Walks a list of a reader: each element is text until `each` has read it, and is held no
/// longer.
pub struct EachText<'a, F> {
    pub allowance: &'a Allowance,
    /// How many bytes are held beside the list.
    pub held: usize,
    pub each: F,
}

impl<'de, F: FnMut(&RawValue) -> Step<()>> DeserializeSeed<'de> for EachText<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(&RawValue) -> Step<()>> Visitor<'de> for EachText<'_, F> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(element) = list.next_element::<Box<RawValue>>()? {
            (self.each)(&element).map_err(|error| A::Error::custom(without_place(&error)))?;
            self.allowance.renew(self.held);
        }
        Ok(())
    }
}

/// What an error says, without the place: a part is parsed by itself, and its lines are not
/// those of the document.
pub fn without_place(error: &serde_json::Error) -> String {
    let mut text = error.to_string();
    if error.line() > 0
        && let Some(at) = text.rfind(" at line ")
    {
        text.truncate(at);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(text: &str, most: usize) -> (Vec<String>, Result<(), String>) {
        let allowance = Allowance::new(most);
        let mut told = Vec::new();
        let each = |element: &RawValue| {
            told.push(element.get().to_owned());
            Ok(())
        };
        let mut json = serde_json::Deserializer::from_reader(allowance.apply(text.as_bytes()));
        let walked = EachText { allowance: &allowance, held: 0, each }.deserialize(&mut json);
        (told, walked.map_err(|error| without_place(&error)))
    }

    #[test]
    fn a_list_is_as_long_as_it_likes_and_an_element_is_not() {
        let short = format!("[{}1]", "22, ".repeat(1_000));
        assert_eq!(walk(&short, 8).0.len(), 1_001);
        let (told, walked) = walk(r#"[1, 2, "345678901234567890", 4]"#, 16);
        assert_eq!(told, ["1", "2"]);
        assert_eq!(walked, Err("a part of the document is too long".to_owned()));
        assert_eq!(walk("null", 8), (vec![], Ok(())));
    }

    /// The parser remembers each open bracket.
    #[test]
    fn nesting_without_end_is_bounded_too() {
        assert!(walk(&"[".repeat(1_000), 100).1.is_err());
    }
}

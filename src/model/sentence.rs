//! The sentence of a finding, and its context: every variable part of it, under a key, for
//! programs that would otherwise have to parse the sentence.
//!
//! A sentence is made from a template and a context in one call, and the template is a
//! literal. So no variable part can be in a sentence without being in the context.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// The name of a variable part, in a template (`{formats}`) and in a finding's `context`.
/// Stable, like the fields of a report. There are no other keys than those in [`key`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(transparent)]
pub struct Key(&'static str);

/// Declares the keys, with their meanings.
macro_rules! keys {
    ($($(#[doc = $doc:literal])+ $name:ident = $key:literal,)*) => {
        /// Every key, each with what it stands for. The published schema repeats it.
        pub mod key {
            use super::Key;

            $($(#[doc = $doc])+ pub const $name: Key = Key($key);)*
        }

        impl Key {
            /// Every key with its documentation.
            pub const ALL: &[(Self, &str)] = &[$((key::$name, concat!($($doc),+))),*];
        }
    };
}

keys! {
    /// The kind of the exception by which a task failed, as the result or the span names it.
    EXCEPTION = "exception",
    /// How many whole hand-offs were asked for with `--expect-handoffs`.
    EXPECTED = "expected",
    /// What is wrong with a context, in words; the finding's `variant` has its name.
    FLAW = "flaw",
    /// The formats of the contexts in a message, as `contexts` of a message names them.
    FORMATS = "formats",
    /// What is malformed: `traceparent`, or the name of another format.
    HEADER = "header",
    /// The path of the part that a message lacks and Celery's worker cannot do without.
    MISSING = "missing",
    /// How many hand-offs were seen.
    SEEN = "seen",
    /// The format of the one vendor whose context a message carries.
    VENDOR = "vendor",
    /// How many hand-offs were seen whole.
    WHOLE = "whole",
}

impl Key {
    pub const fn name(self) -> &'static str {
        self.0
    }
}

/// A variable part of a sentence. It may come from outside: each format escapes it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(untagged)]
pub enum Value {
    Text(String),
    Number(u64),
    /// In a sentence its entries are joined by "and".
    List(Vec<String>),
}

impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => out.write_str(text),
            Self::Number(number) => write!(out, "{number}"),
            Self::List(list) => out.write_str(&list.join(" and ")),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<Vec<&str>> for Value {
    fn from(list: Vec<&str>) -> Self {
        Self::List(list.into_iter().map(str::to_owned).collect())
    }
}

/// The variable parts of a sentence by their keys. Empty if it has none.
pub type Context = BTreeMap<Key, Value>;

/// A sentence, without a full stop.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct Sentence {
    /// The sentence with each variable part in braces: `the task failed: {exception}`.
    #[serde(skip)]
    template: &'static str,
    context: Context,
}

impl Sentence {
    /// A sentence without variable parts.
    pub fn plain(text: &'static str) -> Self {
        Self::new(text, Context::new())
    }

    /// A sentence with variable parts. Each key of the context is in the template, and the
    /// other way round.
    pub fn new(template: &'static str, context: Context) -> Self {
        let sentence = Self { template, context };
        debug_assert!(sentence.fits(), "{sentence:?}");
        sentence
    }

    fn fits(&self) -> bool {
        let holes = || pieces(self.template).filter_map(|(_, hole)| hole);
        let has_value = |hole: &str| self.context.keys().any(|key| key.0 == hole);
        holes().all(has_value) && self.context.keys().all(|key| holes().any(|hole| hole == key.0))
    }

    pub const fn template(&self) -> &'static str {
        self.template
    }

    pub const fn context(&self) -> &Context {
        &self.context
    }

    /// The sentence in pieces: a literal, and the part after it, which may come from
    /// outside. The last literal has none.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, Option<&Value>)> {
        pieces(self.template).map(|(text, hole)| {
            let part = hole.and_then(|hole| self.context.iter().find(|(key, _)| key.0 == hole));
            (text, part.map(|(_, value)| value))
        })
    }
}

/// The sentence with its parts filled in. Parts are not searched for keys: they may come
/// from outside.
impl fmt::Display for Sentence {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts().try_for_each(|(text, part)| {
            out.write_str(text)?;
            part.map_or(Ok(()), |value| write!(out, "{value}"))
        })
    }
}

/// A template in pieces: a text, and the name in braces after it. The last text has none.
fn pieces(template: &'static str) -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
    let mut rest = Some(template);
    std::iter::from_fn(move || {
        let text = rest?;
        let hole = text.split_once('{').and_then(|(before, after)| {
            let (hole, after) = after.split_once('}')?;
            Some((before, hole, after))
        });
        rest = hole.map(|(_, _, after)| after);
        Some(hole.map_or((text, None), |(before, hole, _)| (before, Some(hole))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_put_where_its_key_stands() {
        let context =
            Context::from([(key::FORMATS, Value::from(vec!["b3", "w3c"])), (key::FLAW, Value::from(3))]);
        let sentence = Sentence::new("it has {formats}, {flaw} times", context);
        assert_eq!(sentence.to_string(), "it has b3 and w3c, 3 times");
        let json = serde_json::to_value(&sentence).expect("it serialises");
        assert_eq!(json, serde_json::json!({"context": {"flaw": 3, "formats": ["b3", "w3c"]}}));
        assert_eq!(Sentence::plain("nothing varies").to_string(), "nothing varies");
    }

    #[test]
    fn a_part_from_outside_is_no_template() {
        let hostile = Context::from([
            (key::EXCEPTION, Value::from("{flaw}{exception}{")),
            (key::FLAW, Value::from("x")),
        ]);
        assert_eq!(Sentence::new("{exception}: {flaw}", hostile).to_string(), "{flaw}{exception}{: x");
    }

    #[test]
    #[should_panic(expected = "the task failed")]
    fn a_part_that_is_not_given_is_found() {
        let _ = Sentence::plain("the task failed: {exception}");
    }

    #[test]
    #[should_panic(expected = "the task failed")]
    fn a_part_that_is_not_said_is_found() {
        let _ = Sentence::new("the task failed", Context::from([(key::FLAW, Value::from("x"))]));
    }

    #[test]
    fn keys_are_unique() {
        let names: std::collections::BTreeSet<_> = Key::ALL.iter().map(|(key, _)| key.name()).collect();
        assert_eq!(names.len(), Key::ALL.len());
    }
}

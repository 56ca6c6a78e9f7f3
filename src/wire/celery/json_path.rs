//! The path of a value in a message, as reports write it: `headers.headers.b3`.

use std::fmt;

use super::text::cut;

/// The longest key that is written, in bytes.
const NAME: usize = 64;

/// The path from the message to a value. It is written out only if something is found.
#[derive(Clone, Copy)]
pub(super) struct JsonPath<'t> {
    before: Option<&'t JsonPath<'t>>,
    step: Step<'t>,
}

#[derive(Clone, Copy)]
enum Step<'t> {
    Key(&'t str),
    Index(usize),
}

impl<'t> JsonPath<'t> {
    pub const fn root(name: &'t str) -> Self {
        Self { before: None, step: Step::Key(name) }
    }

    pub const fn key(&'t self, key: &'t str) -> Self {
        Self { before: Some(self), step: Step::Key(key) }
    }

    pub const fn index(&'t self, index: usize) -> Self {
        Self { before: Some(self), step: Step::Index(index) }
    }

    pub fn ends_with(&self, key: &str) -> bool {
        matches!(self.step, Step::Key(last) if last == key)
    }
}

impl fmt::Display for JsonPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(before) = self.before {
            write!(f, "{before}")?;
        }
        match self.step {
            Step::Key(key) => {
                let dot = if self.before.is_some() { "." } else { "" };
                write!(f, "{dot}{}", cut(key, NAME))
            }
            Step::Index(index) => write!(f, "[{index}]"),
        }
    }
}

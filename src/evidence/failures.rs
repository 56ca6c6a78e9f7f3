//! The kinds of exceptions that tasks failed with, as far as they are told apart.

use std::collections::BTreeSet;

/// The first kinds that were seen. They are names from outside, which may be
/// another one each time.
#[derive(Default, Debug)]
pub struct Failures {
    kinds: BTreeSet<Box<str>>,
}

impl Failures {
    /// How many kinds are told apart.
    pub const MOST: usize = 64;

    pub(super) fn saw(&mut self, kind: &str) {
        if self.kinds.len() < Self::MOST && !self.kinds.contains(kind) {
            self.kinds.insert(kind.into());
        }
    }

    /// Whether this kind is told apart from all others.
    pub fn tells_apart(&self, kind: &str) -> bool {
        self.kinds.contains(kind)
    }
}

//! The kinds of exceptions that tasks failed with, as far as they are told apart.

use std::collections::BTreeSet;

use crate::model::weight::{allocation, in_tree};

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

    /// About how many bytes they take.
    pub fn bytes(&self) -> usize {
        self.kinds.iter().map(|kind| in_tree(size_of::<Box<str>>()) + allocation(kind.len())).sum()
    }

    /// Whether this kind is told apart from all others.
    pub fn tells_apart(&self, kind: &str) -> bool {
        self.kinds.contains(kind)
    }
}

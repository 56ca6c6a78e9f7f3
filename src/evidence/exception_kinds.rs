//! The classes of the exceptions that tasks failed with.

use std::collections::BTreeSet;

use crate::model::memory_size::{allocation, in_tree};

/// The first [`ExceptionKinds::MOST`] classes. The names come from outside and may differ
/// each time; findings of any further class are counted together.
#[derive(Default, Debug)]
pub struct ExceptionKinds {
    kinds: BTreeSet<Box<str>>,
}

impl ExceptionKinds {
    /// How many classes are kept.
    pub const MOST: usize = 64;

    pub(super) fn add(&mut self, kind: &str) {
        if self.kinds.len() < Self::MOST && !self.kinds.contains(kind) {
            self.kinds.insert(kind.into());
        }
    }

    /// About how many bytes they take.
    pub fn bytes(&self) -> usize {
        self.kinds.iter().map(|kind| in_tree(size_of::<Box<str>>()) + allocation(kind.len())).sum()
    }

    /// Whether this class is one of those that are kept.
    pub fn contains(&self, kind: &str) -> bool {
        self.kinds.contains(kind)
    }
}

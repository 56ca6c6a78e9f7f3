//! Names that occur again and again, kept once.

use std::sync::Arc;

use crate::model::Set;
use crate::model::memory_size::{in_map, shared};

/// Shares equal names, so that a million spans of ten kinds hold ten names.
///
/// Names come from outside, and there may be any number of them (a URL as a span's name).
/// Names that are no longer used are dropped when the set has doubled.
#[derive(Default, Debug)]
pub struct Names {
    known: Set<Arc<str>>,
    sweep_at: usize,
    bytes: usize,
}

impl Names {
    /// The set is swept no earlier than at this size.
    const FIRST_SWEEP: usize = 1024;

    /// What a name takes: its text with two counters, and its place in the set.
    const fn weight(name: &str) -> usize {
        const PLACE: usize = in_map(size_of::<Arc<str>>());
        shared(name) + PLACE
    }

    /// About how many bytes the names take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn share(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.known.get(name) {
            return Arc::clone(known);
        }
        if self.known.len() >= self.sweep_at.max(Self::FIRST_SWEEP) {
            self.sweep();
        }
        let name: Arc<str> = name.into();
        self.bytes += Self::weight(&name);
        self.known.insert(Arc::clone(&name));
        name
    }

    /// Drops the names that are no longer used.
    pub fn sweep(&mut self) {
        self.known.retain(|name| Arc::strong_count(name) > 1);
        self.sweep_at = self.known.len() * 2;
        self.bytes = self.known.iter().map(|name| Self::weight(name)).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_nobody_holds_are_let_go() {
        let mut names = Names::default();
        let kept = names.share("run/process_order");
        for number in 0..10 * Names::FIRST_SWEEP {
            names.share(&format!("GET /orders/{number}"));
        }
        assert!(names.known.len() <= 2 * Names::FIRST_SWEEP);
        assert!(Arc::ptr_eq(&kept, &names.share("run/process_order")));
    }
}

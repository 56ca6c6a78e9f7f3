//! Spans that could not be kept, and spans with a flaw.

use std::collections::BTreeSet;

use crate::model::memory_size::{allocation, in_tree};

/// Spans that are invalid in one particular way.
#[derive(Default, Debug)]
pub struct InvalidSpans {
    pub count: u64,
    /// At most 64, the first by name.
    pub services: BTreeSet<Box<str>>,
    /// At most five, by their path in the request or by name.
    pub examples: BTreeSet<Box<str>>,
}

impl InvalidSpans {
    const SERVICES: usize = 64;
    const EXAMPLES: usize = 5;

    /// Counts a span of a service, found at this path or of this name.
    pub(super) fn add(&mut self, service: Option<&str>, at: &str) {
        self.count += 1;
        if let Some(service) = service {
            keep_first(&mut self.services, service, Self::SERVICES);
        }
        keep_first(&mut self.examples, at, Self::EXAMPLES);
    }

    /// About how many bytes they take.
    pub(super) fn bytes(&self) -> usize {
        let names = self.services.iter().chain(&self.examples);
        names.map(|name| in_tree(size_of::<Box<str>>()) + allocation(name.len())).sum()
    }
}

/// Keeps at most this many names, the first in order, whatever the order of arrival.
fn keep_first(names: &mut BTreeSet<Box<str>>, name: &str, most: usize) {
    let is_among_them = names.len() < most || names.last().is_some_and(|last| name < &**last);
    if is_among_them && !names.contains(name) {
        names.insert(name.into());
        if names.len() > most {
            names.pop_last();
        }
    }
}

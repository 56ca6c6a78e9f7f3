//! An `ignore` entry of the configuration.

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::model::Finding;

/// What is ignored, where, why, and until when.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Entry {
    pub slug: &'static str,
    /// If any are named, only findings about these.
    pub tasks: BTreeSet<String>,
    pub services: BTreeSet<String>,
    pub queues: BTreeSet<String>,
    pub reason: String,
    /// The last day on which the entry applies.
    pub until: Option<Date>,
    /// The file and the line of the entry.
    pub at: String,
}

impl Entry {
    /// Whether the entry applies on that day. On its last day it does.
    pub fn holds_on(&self, today: Date) -> bool {
        self.until.is_none_or(|until| today <= until)
    }

    /// Whether the entry covers all of a finding. If the finding also names another task,
    /// service or queue, it does not.
    pub fn covers(&self, finding: &Finding) -> bool {
        let within = |scope: &BTreeSet<String>, names: &BTreeSet<String>| {
            scope.is_empty() || (!names.is_empty() && names.is_subset(scope))
        };
        self.slug == finding.slug
            && within(&self.tasks, &finding.tasks)
            && within(&self.services, &finding.services)
            && within(&self.queues, &finding.queues)
    }
}

//! An `ignore` entry of the configuration.

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::model::Finding;

/// What is set aside, where, why, and until when.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Entry {
    pub slug: &'static str,
    /// Only of these, where any are named.
    pub tasks: BTreeSet<String>,
    pub services: BTreeSet<String>,
    pub queues: BTreeSet<String>,
    pub reason: String,
    /// The last day on which it holds.
    pub until: Option<Date>,
    /// Where it stands: a file with its line.
    pub at: String,
}

impl Entry {
    /// Whether it holds on that day: on its last one it does.
    pub fn holds_on(&self, today: Date) -> bool {
        self.until.is_none_or(|until| today <= until)
    }

    /// Whether it is about all of a finding. One that names another task, service
    /// or queue as well is about more than was set aside.
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

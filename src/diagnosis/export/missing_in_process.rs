//! What is missing inside a process: parents that it had and did not send.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnosis::known::{MissingParent, ParentProcess};
use crate::diagnosis::rule::Known;
use crate::evidence::{Process, StoredSpan, Trace};
use crate::model::SpanId;

/// How many spans the queue of Python's batch span processor holds.
pub const QUEUE: u64 = 2_048;

/// The spans of a trace whose parent is missing although it belonged to the same process:
/// by process, with the id of each missing parent.
pub fn missing_by_process<'e>(
    trace: &Trace,
    known: &Known<'e>,
) -> BTreeMap<(&'e str, Option<&'e str>), MissingInProcess<'e>> {
    let mut missing = BTreeMap::<_, MissingInProcess<'_>>::new();
    for MissingParent { id, child, process } in known.traces().missing(trace.id).parents.iter().copied() {
        if process != ParentProcess::Same {
            continue;
        }
        let missing = missing
            .entry((child.service(), child.process.instance.as_deref()))
            .or_insert_with(|| MissingInProcess { process: &child.process, children: Vec::new() });
        missing.children.push((id, child));
    }
    missing
}

/// Spans of one process and one trace that miss a parent of their own process.
pub struct MissingInProcess<'t> {
    pub process: &'t Process,
    pub children: Vec<(SpanId, &'t StoredSpan)>,
}

impl MissingInProcess<'_> {
    /// The parents that are missing.
    pub fn parents(&self) -> BTreeSet<SpanId> {
        self.children.iter().map(|(parent, _)| *parent).collect()
    }

    /// Whether so much is missing, from a process that sent so much, that the queue of its
    /// exporter overflowed.
    pub fn is_overflow(&self, known: &Known<'_>) -> bool {
        /// Fewer missing parents than this are single losses.
        const MANY: usize = 10;
        let sent = known.evidence.processes.of(self.process).map_or(0, |activity| activity.spans);
        sent >= QUEUE && self.parents().len() >= MANY
    }
}

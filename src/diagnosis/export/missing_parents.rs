//! What is missing inside of a process: parents that it had and did not send.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnosis::rule::Known;
use crate::evidence::{Process, SpanKey, StoredSpan, Trace};
use crate::model::{ParentOrigin, SpanId, SpanKind};

/// How many spans the queue of Python's batch span processor holds.
pub const QUEUE: u64 = 2_048;

/// The spans of a trace whose parent is missing, though it was a span of the
/// very same process: by process, with the id of each missing parent.
pub fn missing_local_parents<'t>(
    trace: &'t Trace,
    known: &Known<'_>,
) -> BTreeMap<(&'t str, Option<&'t str>), MissingParents<'t>> {
    let entries = trace.spans.iter().filter(|span| is_entry(span));
    let came_in: BTreeSet<_> = entries.filter_map(|span| span.parent).collect();
    let is_of_another = |parent: SpanId| {
        let key = SpanKey { trace_id: trace.id, span_id: parent };
        came_in.contains(&parent) || !known.evidence.tasks.carrying(key).is_empty()
    };
    let mut missing = BTreeMap::<_, MissingParents<'_>>::new();
    for span in &trace.spans {
        let Some(parent) = span.parent.filter(|parent| trace.get(*parent).is_none()) else { continue };
        let is_its_own = match span.parent_origin {
            ParentOrigin::Local => true,
            // Exporters before Python's 1.27 do not say.
            ParentOrigin::Unknown => !is_entry(span) && !is_of_another(parent),
            ParentOrigin::Remote => false,
        };
        if !is_its_own {
            continue;
        }
        let missing = missing
            .entry((span.service(), span.process.instance.as_deref()))
            .or_insert_with(|| MissingParents { process: &span.process, children: Vec::new() });
        missing.children.push((parent, span));
    }
    missing
}

/// Whether the span is of a kind whose parent comes in with a request or a message.
fn is_entry(span: &StoredSpan) -> bool {
    matches!(span.kind, SpanKind::Server | SpanKind::Consumer)
}

/// Spans of one process and one trace that miss a parent of their own process.
pub struct MissingParents<'t> {
    pub process: &'t Process,
    pub children: Vec<(SpanId, &'t StoredSpan)>,
}

impl MissingParents<'_> {
    /// The parents that are missing.
    pub fn parents(&self) -> BTreeSet<SpanId> {
        self.children.iter().map(|(parent, _)| *parent).collect()
    }

    /// Whether so much is missing, of a process that sent so much, that a queue
    /// of its exporter overflowed.
    pub fn is_overflow(&self, known: &Known<'_>) -> bool {
        /// Fewer missing parents than this are single losses.
        const MANY: usize = 10;
        let sent = known.evidence.processes.of(self.process).map_or(0, |activity| activity.spans);
        sent >= QUEUE && self.parents().len() >= MANY
    }
}

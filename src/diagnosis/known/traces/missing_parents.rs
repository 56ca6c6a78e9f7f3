//! The spans of a trace whose parent did not arrive, and the process of that parent.

use std::collections::BTreeSet;

use crate::evidence::{Evidence, SpanKey, StoredSpan, Trace};
use crate::model::{ParentOrigin, SpanId, SpanKind};

/// A span whose parent did not arrive.
#[derive(Clone, Copy, Debug)]
pub struct MissingParent<'e> {
    pub id: SpanId,
    /// The span below it.
    pub child: &'e StoredSpan,
    pub process: ParentProcess,
}

/// Which process a parent belongs to, according to its child.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParentProcess {
    /// The process of its child.
    Same,
    /// Another process, whose context came in with a request or a message.
    Other,
    /// The exporter does not say, and both are possible.
    Unclear,
}

/// Every span of the trace whose parent is missing, in the order of the trace.
pub(super) fn missing_parents<'e>(trace: &'e Trace, evidence: &Evidence) -> Vec<MissingParent<'e>> {
    let is_lost = |span: &&StoredSpan| span.parent.is_some_and(|parent| trace.get(parent).is_none());
    let mut lost = trace.spans.iter().filter(is_lost).peekable();
    if lost.peek().is_none() {
        return Vec::new();
    }
    let entries = trace.spans.iter().filter(|span| is_entry(span));
    let came_in: BTreeSet<_> = entries.filter_map(|span| span.parent).collect();
    let is_of_another = |parent: SpanId| {
        let key = SpanKey { trace_id: trace.id, span_id: parent };
        came_in.contains(&parent) || !evidence.tasks.carrying(key).is_empty()
    };
    let found = lost.filter_map(|child| {
        let id = child.parent?;
        let process = match child.parent_origin {
            ParentOrigin::Remote => ParentProcess::Other,
            // Python's exporters before 1.27 do not say. With them, the parent of a
            // CONSUMER span came in with its message.
            ParentOrigin::Unknown if child.kind == SpanKind::Consumer => ParentProcess::Other,
            ParentOrigin::Unknown if is_entry(child) || is_of_another(id) => ParentProcess::Unclear,
            ParentOrigin::Local | ParentOrigin::Unknown => ParentProcess::Same,
        };
        Some(MissingParent { id, child, process })
    });
    found.collect()
}

/// Whether the span is of a kind whose parent comes in with a request or a message.
fn is_entry(span: &StoredSpan) -> bool {
    matches!(span.kind, SpanKind::Server | SpanKind::Consumer)
}

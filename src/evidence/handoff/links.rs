//! Roots that are roots by design, because they link to where they come from, and spans
//! that follow a context without a remote parent.

use crate::evidence::Evidence;
use crate::evidence::spans::{SpanRef, StoredSpan, Trace};
use crate::evidence::tasks::{ContextKey, Task};
use crate::model::{ParentOrigin, SpanContext, SpanKind};

/// How many spans a trace may have if it is to be searched for links and followers. In a
/// larger one, which spans are searched would depend on the order of arrival, and searching
/// all would cost too much.
const LOOKED_THROUGH: usize = 1_024;

impl Evidence {
    /// Whether a span began a new trace by accident: it has no parent, and no link to a
    /// trace that is known.
    pub fn is_orphaned_root(&self, found: SpanRef<'_>) -> bool {
        let mut links = found.span.links().iter();
        found.span.parent.is_none()
            && !links.any(|link| link.trace_id != found.trace.id && self.spans.trace(link.trace_id).is_some())
    }

    /// Whether a root is one by design: it, or a span of its process below it, links to
    /// where a message was sent from. The links of a batch are wherever its author could
    /// put them. A link to an unknown trace counts too, since nothing can be said about it.
    pub fn is_linked_to_its_sender(&self, root: SpanRef<'_>) -> bool {
        let is_apart = |link: &&SpanContext| link.trace_id != root.trace.id;
        let own = root.span.links().iter().filter(is_apart);
        let spans = looked_through(root.trace).iter().filter(|span| span.process == root.span.process);
        let below = spans.flat_map(StoredSpan::links).filter(is_apart);
        let is_unknown = |link: &SpanContext| self.spans.trace(link.trace_id).is_none();
        own.clone().any(is_unknown) || own.chain(below).any(|link| self.is_senders(link))
    }

    /// Whether a message carries this context, or its trace contains a request, a publish
    /// or a run.
    fn is_senders(&self, link: &SpanContext) -> bool {
        let key = ContextKey { trace_id: link.trace_id, span_id: link.span_id };
        let may_send = |trace: &Trace| {
            let is_large = trace.spans.len() > LOOKED_THROUGH;
            let is_on_the_way = |span: &StoredSpan| {
                matches!(span.kind, SpanKind::Producer | SpanKind::Server | SpanKind::Consumer)
            };
            is_large || trace.spans.iter().any(is_on_the_way)
        };
        !self.tasks.carrying(key).is_empty() || self.spans.trace(link.trace_id).is_some_and(may_send)
    }

    /// Whether a span that continues a context belongs to another task: it names that task,
    /// or lies inside one of its runs. A run is never the run of what it links to, unless
    /// it ran several tasks of one name at once.
    pub(super) fn is_of_another(&self, run: &SpanRef<'_>, task: &Task) -> bool {
        let of_another = |span: &StoredSpan| {
            let other = span.task_id().filter(|id| **id != *task.id).and_then(|id| self.tasks.get(id));
            other.is_some_and(|other| span.id == run.span.id || other.name(self) != task.name(self))
        };
        of_another(run.span) || run.trace.ancestors(run.span).any(of_another)
    }

    /// The spans that follow a context, for exporters that do not say whether a parent is
    /// remote (Python before 1.27): spans below it that come from another process than the
    /// span that it names, or from a process that serves no requests.
    pub(super) fn unflagged_followers<'e>(&'e self, context: ContextKey, task: &'e Task) -> Vec<SpanRef<'e>> {
        let Some(trace) = self.spans.trace(context.trace_id) else { return Vec::new() };
        let sender = trace.get(context.span_id);
        let serves =
            |span: &StoredSpan| self.processes.of(&span.process).is_none_or(|activity| activity.servers > 0);
        let follows = |span: &&StoredSpan| {
            span.parent == Some(context.span_id)
                && span.parent_origin == ParentOrigin::Unknown
                && !matches!(span.kind, SpanKind::Server | SpanKind::Consumer)
                && !serves(span)
                && sender.is_none_or(|sender| sender.process.differs_from(&span.process))
        };
        let found = looked_through(trace).iter().filter(follows).map(|span| SpanRef { trace, span });
        let mut found: Vec<_> = found.filter(|run| !self.is_of_another(run, task)).collect();
        found.sort_by_key(|run| (run.span.start, run.span.id));
        found
    }
}

/// The spans of a trace, if they are few enough.
fn looked_through(trace: &Trace) -> &[StoredSpan] {
    if trace.spans.len() > LOOKED_THROUGH { &[] } else { &trace.spans }
}

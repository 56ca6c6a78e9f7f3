//! What requests push onto Redis lists directly. With a Celery instrumentor, a PRODUCER
//! span stands between a request and its push.

use std::time::Duration;

use crate::diagnosis::known::orphans::by_start;
use crate::evidence::{Evidence, SpanRef, StoredSpan, Trace};
use crate::model::{SpanKind, Timestamp};

/// How long a message may wait, at most, for a push to count as its own.
const WAIT: Duration = Duration::from_mins(10);
/// How far the clocks of two machines may differ.
const SKEW: Duration = Duration::from_secs(5);

/// Pushes below a SERVER span without a PRODUCER between, in the order of their start.
pub(super) fn bare_pushes(evidence: &Evidence) -> Vec<SpanRef<'_>> {
    let in_trace = |trace| {
        let spans = |trace: &'_ Trace| trace.spans.iter().filter(|span| is_push(span)).count();
        (spans(trace) > 0).then_some(trace)
    };
    let mut pushes: Vec<_> = evidence
        .spans
        .traces()
        .filter_map(in_trace)
        .flat_map(|trace| trace.spans.iter().map(move |span| SpanRef { trace, span }))
        .filter(|found| is_push(found.span) && is_bare(*found))
        .collect();
    pushes.sort_by_key(by_start);
    pushes
}

/// The last of these pushes that may have published what was taken at `taken`.
pub(super) fn before<'e>(pushes: &[SpanRef<'e>], taken: Timestamp) -> Option<SpanRef<'e>> {
    let until = pushes.partition_point(|push| push.span.start.since(taken) <= SKEW);
    let last = pushes[..until].last()?;
    (taken.since(last.span.start) <= WAIT).then_some(*last)
}

/// A call of `LPUSH`, which kombu publishes with. Instrumentors of Redis name the span
/// after the command.
fn is_push(span: &StoredSpan) -> bool {
    let is_named = |name: &str| name.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("lpush"));
    span.kind == SpanKind::Client && is_named(&span.name)
}

/// Whether the nearest span above that may have published is a request.
fn is_bare(push: SpanRef<'_>) -> bool {
    let entries = [SpanKind::Server, SpanKind::Producer, SpanKind::Consumer];
    let nearest = push.trace.ancestors(push.span).find(|above| entries.contains(&above.kind));
    nearest.is_some_and(|above| above.kind == SpanKind::Server && above.process == push.span.process)
}

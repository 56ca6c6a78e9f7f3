//! Which spans of a large trace are listed: those that show a hand-off or an error, with
//! their ancestors, and then the first ones.

use crate::evidence::{StoredSpan, Trace};
use crate::model::{Set, SpanId, SpanKind, SpanStatus};

/// The share of the listed spans that those may take.
const SHARE: usize = 2;

/// At most `limit` spans of a trace, in the order of their start.
pub(super) fn excerpt(trace: &Trace, limit: usize) -> Vec<&StoredSpan> {
    let mut spans: Vec<_> = trace.spans.iter().collect();
    spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end), span.id));
    if spans.len() <= limit {
        return spans;
    }
    let mut chosen = Set::default();
    for span in spans.iter().filter(|span| says_something(span)) {
        let way = way_up(trace, span, &chosen);
        if chosen.len() + way.len() <= limit / SHARE {
            chosen.extend(way);
        }
    }
    for span in &spans {
        if chosen.len() >= limit {
            break;
        }
        chosen.insert(span.id);
    }
    spans.retain(|span| chosen.contains(&span.id));
    spans
}

fn says_something(span: &StoredSpan) -> bool {
    matches!(span.kind, SpanKind::Producer | SpanKind::Consumer) || span.status == SpanStatus::Error
}

/// The span and its ancestors that are not chosen yet. In a very deep chain nobody follows
/// all ancestors, so they are cut.
fn way_up(trace: &Trace, span: &StoredSpan, chosen: &Set<SpanId>) -> Vec<SpanId> {
    const LONGEST: usize = 16;
    let mut way = Vec::new();
    let mut next = Some(span);
    while let Some(span) = next.filter(|span| way.len() < LONGEST && !chosen.contains(&span.id)) {
        way.push(span.id);
        next = span.parent.and_then(|parent| trace.get(parent));
    }
    way
}

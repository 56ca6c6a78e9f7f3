//! Which spans of a large trace are listed: those that show a hand-off or an error, with
//! their ancestors, and then the first ones.

use std::cmp::Reverse;

use crate::evidence::{StoredSpan, Trace};
use crate::model::{Set, SpanId, SpanKind, SpanStatus};

/// The share of the listed spans that those may take.
const SHARE: usize = 2;

/// At most `limit` spans of a trace, in the order of their start.
///
/// Of a long trace only as many are put in order as it takes to fill the places: when all
/// were, and each was looked at, this was half of what a trace of 200,000 spans cost to
/// judge.
pub(super) fn excerpt(trace: &Trace, limit: usize) -> Vec<&StoredSpan> {
    let mut spans: Vec<_> = trace.spans.iter().collect();
    if spans.len() <= limit {
        spans.sort_by_key(|span| place(span));
        return spans;
    }
    let (mut chosen, mut first) = (Set::default(), Vec::with_capacity(limit));
    let (mut rest, mut many) = (&mut spans[..], limit.max(1));
    while !rest.is_empty() && (first.len() < limit || chosen.len() < limit / SHARE) {
        let (next, after) = split_front(std::mem::take(&mut rest), many);
        rest = after;
        for span in next.iter().filter(|span| says_something(span)) {
            let way = way_up(trace, span, &chosen);
            if chosen.len() + way.len() <= limit / SHARE {
                chosen.extend(way);
            }
        }
        first.extend(next.iter().take(limit - first.len()).map(|span| span.id));
        many *= 2;
    }
    for id in first {
        if chosen.len() >= limit {
            break;
        }
        chosen.insert(id);
    }
    spans.retain(|span| chosen.contains(&span.id));
    spans.sort_by_key(|span| place(span));
    spans
}

/// Splits the `many` spans that come first, in order, from the others.
fn split_front<'s, 't>(
    all: &'s mut [&'t StoredSpan],
    many: usize,
) -> (&'s [&'t StoredSpan], &'s mut [&'t StoredSpan]) {
    if many < all.len() {
        all.select_nth_unstable_by_key(many, |span| place(span));
    }
    let (next, after) = all.split_at_mut(many.min(all.len()));
    next.sort_by_key(|span| place(span));
    (next, after)
}

/// What a span's place among the others depends on: its start, and what encloses comes first.
fn place(span: &StoredSpan) -> impl Ord + use<> {
    (span.start, Reverse(span.end), span.id)
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

use crate::diagnosis::advice::identity;
use crate::diagnosis::rule::{Known, Occurrence, diagnosis, quote};
use crate::evidence::{SpanRef, StoredSpan, Trace};
use crate::model::{Map, SpanId};

diagnosis! {
    /// ## What it means
    /// A span is its own ancestor. No viewer can draw that, and the spans in
    /// the circle hang nowhere.
    ///
    /// ## What shows it
    /// Following the parents of a span leads back to it.
    ///
    /// ## How to fix it
    /// Something sets span ids or parents by hand, or an id generator repeats
    /// itself after a fork: look for a seed that is set before the fork.
    pub static SPAN_CYCLE = {
        code: "TL901",
        slug: "span-cycle",
        station: None,
        severity: Warning,
        summary: "a span is its own ancestor",
        fixes: || identity::ids_of_the_sdk().into(),
        check: Trace(check),
    }
}

fn check(trace: &Trace, _known: &Known<'_>, found: &mut dyn FnMut(Occurrence)) {
    if goes_back_in_time(trace) {
        return;
    }
    for span in entries(trace) {
        found(
            Occurrence::certain()
                .service(span.service())
                .quote(quote::span(SpanRef { trace, span }))
                .mend(identity::ids_of_the_sdk()),
        );
    }
}

/// Whether each parent that is there began before its child. Then there is no cycle, and
/// this is cheaper to check: nearly every trace passes.
fn goes_back_in_time(trace: &Trace) -> bool {
    trace.spans.iter().all(|span| trace.parent_of(span).is_none_or(|parent| parent.start < span.start))
}

/// One span of each cycle: the one with the smallest id. Every span is visited once,
/// because a walk stops at spans that an earlier one has visited.
fn entries(trace: &Trace) -> Vec<&StoredSpan> {
    let mut walked: Map<SpanId, usize> = Map::default();
    let mut entries: Vec<&StoredSpan> = Vec::new();
    for (number, start) in trace.spans.iter().enumerate() {
        let mut path = Vec::new();
        let mut at = Some(start);
        while let Some(span) = at {
            match walked.get(&span.id) {
                Some(walk) if *walk == number => {
                    let circle = path.iter().position(|known: &&StoredSpan| known.id == span.id);
                    let members = circle.map_or(&path[..], |from| &path[from..]);
                    entries.extend(members.iter().copied().min_by_key(|member| member.id));
                    break;
                }
                Some(_) => break,
                None => {
                    walked.insert(span.id, number);
                    path.push(span);
                    at = trace.parent_of(span);
                }
            }
        }
    }
    entries.sort_by_key(|span| span.id);
    entries
}

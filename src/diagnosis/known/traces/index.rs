//! The spans of one trace that several diagnoses look for, filed in one pass.

use crate::diagnosis::known::orphans::by_start;
use crate::evidence::{Evidence, SpanRef};
use crate::model::{Map, SpanId, SpanKind, TraceId};

/// The spans of one trace that diagnoses look for.
#[derive(Default, Debug)]
pub(super) struct TraceIndex<'e> {
    /// A SERVER span below each span that has one.
    pub servers: Map<SpanId, SpanRef<'e>>,
    /// The hand-made consumer spans, by start.
    pub by_hand: Vec<SpanRef<'e>>,
}

impl<'e> TraceIndex<'e> {
    pub fn of(evidence: &'e Evidence, id: TraceId) -> Self {
        let mut filed = Self::default();
        let Some(trace) = evidence.spans.trace(id) else { return filed };
        for span in &trace.spans {
            let found = SpanRef { trace, span };
            if span.kind == SpanKind::Server
                && let Some(parent) = span.parent
            {
                let below = filed.servers.entry(parent).or_insert(found);
                if (span.start, span.id) < (below.span.start, below.span.id) {
                    *below = found;
                }
            }
            if span.kind == SpanKind::Consumer && !span.is_instrumented_run() {
                filed.by_hand.push(found);
            }
        }
        filed.by_hand.sort_by_key(by_start);
        filed
    }
}

use super::missing_local_parents;
use crate::diagnosis::{Known, Occurrence, diagnosis, quote};
use crate::evidence::{SpanRef, StoredSpan, Trace};
use crate::model::{SpanId, Station};

diagnosis! {
    /// ## What it means
    /// The process made more spans than its exporter could send: the batch
    /// processor's queue (2,048 spans) was full, and what came then was thrown
    /// away.
    ///
    /// ## What shows it
    /// Many spans of one process miss a parent of that very process, and sent
    /// spans beyond a full queue.
    ///
    /// ## How to fix it
    /// ```sh
    /// OTEL_BSP_MAX_QUEUE_SIZE=16384
    /// OTEL_BSP_SCHEDULE_DELAY=1000
    /// ```
    ///
    /// or fewer spans: one for a batch instead of one for an item.
    pub static SPANS_DROPPED = {
        code: "TL509",
        slug: "spans-dropped",
        station: Some(Station::Export),
        severity: Warning,
        summary: "the exporter's queue overflowed: many spans miss a parent of their own process",
        check: Trace(check),
    }
}

/// The queue of Python's batch span processor.
const QUEUE: u64 = 2_048;

/// Fewer missing parents than this are single losses.
const MANY: usize = 10;

/// Whether so many parents are missing that a queue overflowed.
pub(super) fn is_burst(children: &[(SpanId, &StoredSpan)]) -> bool {
    let mut parents: Vec<_> = children.iter().map(|(parent, _)| *parent).collect();
    parents.sort_unstable();
    parents.dedup();
    parents.len() >= MANY
}

fn check(trace: &Trace, known: &Known<'_>, found: &mut dyn FnMut(Occurrence)) {
    for gap in missing_local_parents(trace).into_values() {
        let sent = known.evidence.processes.of(gap.process).map_or(0, |activity| activity.spans);
        let Some((_, child)) = gap.children.first() else { continue };
        if !is_burst(&gap.children) || sent < QUEUE {
            continue;
        }
        found(
            Occurrence::likely()
                .service(child.service())
                .counting(gap.children.len() as u64)
                .quote(quote::span(SpanRef { trace, span: child }))
                .quote(quote::fact(
                    format!("spans of {}", child.service()),
                    format!("{} miss a parent of their own process, {sent} arrived", gap.children.len()),
                ))
                .needs("the process's log: `Queue full, dropping span`")
                .fix("OTEL_BSP_MAX_QUEUE_SIZE=16384             # the default is 2048")
                .fix("OTEL_BSP_SCHEDULE_DELAY=1000              # milliseconds; the default is 5000"),
        );
    }
}

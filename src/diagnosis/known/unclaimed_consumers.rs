//! Consumer spans that belong to nothing: they name no message, and are not below a context
//! that one carries. Each may be the run of a hand-off without a run.

use std::time::Duration;

use super::orphans::by_start;
use crate::evidence::{Evidence, Handoff, SpanRef, TaskNames};
use crate::model::{SpanKind, Timestamp};

/// Such spans, in the order of their start.
#[derive(Default, Debug)]
pub struct UnclaimedConsumers<'e> {
    /// Each with the task whose name it carries, if any.
    spans: Vec<(SpanRef<'e>, Option<&'e str>)>,
}

/// How far the clocks of two machines may differ.
const SKEW: Duration = Duration::from_secs(5);
/// How many of them are looked at for one hand-off.
const LOOKED_AT: usize = 1_000;

impl<'e> UnclaimedConsumers<'e> {
    pub(super) fn of(evidence: &'e Evidence) -> Self {
        let uncarried = evidence.tasks.uncarried().filter(|(context, _)| {
            // A run below a producer belongs to that producer.
            evidence.spans.get(*context).is_none_or(|sender| sender.span.kind != SpanKind::Producer)
        });
        let spans = uncarried.flat_map(|(_, spans)| spans).filter_map(|span| evidence.spans.get(span.key()));
        let mut spans: Vec<_> = spans
            .filter(|found| found.span.kind == SpanKind::Consumer && found.span.task_id().is_none())
            .collect();
        if spans.is_empty() {
            return Self::default();
        }
        spans.sort_by_key(by_start);
        spans.dedup_by_key(|found| found.key());
        let tasks = TaskNames::of(evidence.tasks.iter().map(|task| task.name(evidence)));
        let named = |found: SpanRef<'e>| {
            let said = found.span.attributes().task.as_deref().or_else(|| tasks.named_by(&found.span.name));
            (found, said)
        };
        Self { spans: spans.into_iter().map(named).collect() }
    }

    /// The first one that may be the run of this hand-off: it began after the message was
    /// sent, and carries no other task's name.
    pub fn of_handoff(&self, handoff: &Handoff<'_>) -> Option<SpanRef<'e>> {
        let sent = handoff.producer.map(|producer| producer.span.start).unwrap_or_default();
        let is_later = |start: Timestamp| sent.since(start) <= SKEW;
        let from = self.spans.partition_point(|(found, _)| !is_later(found.span.start));
        let later = self.spans[from..].iter().take(LOOKED_AT);
        later
            .filter(|(_, named)| named.is_none_or(|task| task == handoff.task))
            .map(|(found, _)| *found)
            .next()
    }
}

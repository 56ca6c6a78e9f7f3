//! Tasks that a scheduler seems to publish, by when they run.
//!
//! Before Celery 5.7 a message of beat looks like anybody's, and beat is seldom
//! instrumented: its tasks begin traces of their own, and are right to.

use std::time::Duration;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::evidence::{Continuity, Evidence, Handoff};
use crate::model::{SpanKind, Timestamp};

/// How many runs are compared with requests.
const LOOKED_AT: usize = 100;
/// Fewer runs than this may be evenly spaced by accident.
const RUNS: usize = 3;
/// What runs more often than this is more likely a load than a schedule.
const SHORTEST: Duration = Duration::from_millis(500);
/// How far an interval may be off: a share of it, and what a queue adds.
const SHARE: f64 = 0.1;
const JITTER: Duration = Duration::from_millis(200);

/// What follows a request so closely, in nanoseconds, is most likely its work.
const AFTER_A_REQUEST: u64 = 1_000_000_000;

/// The tasks of which every run began a trace of its own, which began at even
/// intervals and not each right after a request, while other tasks of the same
/// evidence were handed over with their context by something else than a task.
/// Where nothing was, an application without instrumentation under an even load
/// looks the same, and none is named.
pub(super) fn scheduled(evidence: &Evidence) -> FxHashSet<&str> {
    let mut roots = FxHashMap::<&str, Vec<Timestamp>>::default();
    let mut handed_over = FxHashSet::default();
    for task in evidence.tasks.iter() {
        for handoff in task.handoffs(evidence) {
            let Some(run) = handoff.consumer() else { continue };
            let is_root = handoff.continuity() == Some(Continuity::Orphaned);
            if is_root && handoff.producer.is_none() && handoff.attempt == 0 {
                roots.entry(handoff.task).or_default().push(run.span.start);
            } else if !is_root && !is_by_a_task(&handoff) {
                handed_over.insert(handoff.task);
            }
        }
    }
    roots.retain(|task, starts| {
        let may_be = !handed_over.is_empty() && !handed_over.contains(task) && is_even(starts);
        may_be && !starts.iter().take(LOOKED_AT).all(|start| follows_a_request(*start, evidence))
    });
    roots.into_keys().collect()
}

/// Whether another task published this one, as far as can be told: then it has
/// that task's context, whoever began it all.
fn is_by_a_task(handoff: &Handoff<'_>) -> bool {
    let by_span = handoff.producer.map(|producer| {
        producer.trace.ancestors(producer.span).any(|above| above.kind == SpanKind::Consumer)
    });
    let by_message = || handoff.message().map(|message| message.parent_id.is_some());
    by_span.or_else(by_message).unwrap_or(true)
}

fn follows_a_request(start: Timestamp, evidence: &Evidence) -> bool {
    let before = Timestamp::from_nanos(start.as_nanos().saturating_sub(AFTER_A_REQUEST));
    evidence.processes.iter().any(|(_, activity)| activity.has_request_within(before, start))
}

/// Whether these times lie as evenly as a scheduler's, whatever their order.
pub fn is_even(starts: &mut [Timestamp]) -> bool {
    starts.sort_unstable();
    let mut gaps: Vec<_> = starts.windows(2).map(|pair| pair[1].since(pair[0])).collect();
    gaps.sort_unstable();
    let Some(middle) = gaps.get(gaps.len() / 2).copied() else { return false };
    let slack = middle.mul_f64(SHARE).max(JITTER).min(middle / 4);
    starts.len() >= RUNS && middle >= SHORTEST && gaps.iter().all(|gap| gap.abs_diff(middle) <= slack)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_even_and_not_too_fast() {
        let even = |millis: &[u64]| {
            let mut starts: Vec<_> = millis.iter().map(|at| Timestamp::from_nanos(at * 1_000_000)).collect();
            is_even(&mut starts)
        };
        assert!(even(&[4_010, 0, 2_020]));
        assert!(even(&[0, 60_000, 120_300, 180_000]));
        assert!(!even(&[0, 2_000]));
        assert!(!even(&[0, 2_000, 5_000]));
        assert!(!even(&[0, 100, 200, 300]));
        assert!(!even(&[]));
    }
}

//! What is found of one group.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::diagnosis::engine::judge::{Judge, JudgedHandoff};
use crate::evidence::{Evidence, Group, Unit};

/// A unit, the ids of its findings, and whether a run or a parent of it is still to come.
pub(super) type UnitSaid = (Unit, BTreeSet<String>, bool);

/// Judges each part of a group.
pub(super) fn opinion<'e>(
    group: &Group,
    judging: &mut Judge<'_, 'e>,
    evidence: &'e Evidence,
) -> (Vec<UnitSaid>, Vec<JudgedHandoff<'e>>) {
    let mut said = Vec::new();
    let mut handoffs = Vec::new();
    for trace in group.traces.iter().filter_map(|id| evidence.spans.trace(*id)) {
        said.push((Unit::Trace(trace.id), judging.trace(trace), trace.awaits_its_own()));
    }
    for task in group.tasks.iter().filter_map(|id| evidence.tasks.get(id)) {
        let (mut ids, mut is_open) = (BTreeSet::new(), false);
        judging.task(task, &mut |judged| {
            ids.extend(judged.finding.iter().chain(&judged.remarks).cloned());
            is_open |= judged.handoff.consumers.is_empty();
            handoffs.push(judged);
        });
        said.push((Unit::Task(Arc::clone(&task.id)), ids, is_open));
    }
    (said, handoffs)
}

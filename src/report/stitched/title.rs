//! What a passage is called, and which of its hand-offs stands for it.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::traces::Parts;
use crate::model::{HandoffReport, TraceReport};
use crate::report::text::safe;

/// Of several hand-offs, the one of which most was seen.
pub fn fullest<'r>(handoffs: impl Iterator<Item = &'r HandoffReport>) -> Option<&'r HandoffReport> {
    handoffs.max_by_key(|handoff| (seen_of(handoff), Reverse(&handoff.task_id)))
}

/// The hand-off that matters most: one with a finding, else one that is unproven, else the
/// one of which most was seen.
pub fn main_handoff(handoffs: &[HandoffReport]) -> Option<&HandoffReport> {
    handoffs.iter().max_by_key(|handoff| {
        let weight = (handoff.finding.is_some(), handoff.unproven.is_some(), seen_of(handoff));
        (weight, Reverse(&handoff.task_id))
    })
}

fn seen_of(handoff: &HandoffReport) -> usize {
    handoff.consumers.len() + usize::from(handoff.producer.is_some())
}

/// `POST /orders → process_order`: the request, and this task.
pub fn task_title(sender: Option<&TraceReport>, task: &str) -> String {
    let task = safe(task);
    match sender.and_then(|trace| trace.spans.first()) {
        Some(root) => format!("{} → {task}", safe(&root.name)),
        None => task,
    }
}

/// `POST /orders → process_order`: the request, and the tasks in its trace.
pub fn title(parts: &Parts<'_>) -> String {
    let first = parts.traces.iter().min_by_key(|trace| trace.spans.first().map(|span| span.start));
    let name = first.and_then(|trace| trace.spans.first()).map(|root| safe(&root.name)).unwrap_or_default();
    let tasks: BTreeSet<_> = parts.handoffs.iter().map(|handoff| safe(&handoff.task)).collect();
    let tasks: Vec<_> = tasks.into_iter().filter(|task| !task.is_empty()).collect();
    match (&*name, &tasks[..]) {
        (_, []) => name,
        ("", _) => tasks.join(", "),
        _ => format!("{name} → {}", tasks.join(", ")),
    }
}

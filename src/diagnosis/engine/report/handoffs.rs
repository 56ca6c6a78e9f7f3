//! The hand-offs of a report.

use std::collections::{BTreeMap, BTreeSet};

use super::listing::Listing;
use super::traces::trace_report;
use crate::diagnosis::engine::judge::JudgedHandoff;
use crate::diagnosis::engine::unproven::UnprovenReason;
use crate::evidence::{JoinedBy, SpanRef, Trace};
use crate::model::{HandoffReport, TaskResult, TaskStatus, TraceId, TraceReport};

/// Single hand-offs, as a stream reports them.
pub(in crate::diagnosis::engine) fn handoff_reports(handoffs: &[JudgedHandoff<'_>]) -> Vec<HandoffReport> {
    handoffs.iter().map(handoff_report).collect()
}

/// A hand-off with the traces that it takes part in.
pub(in crate::diagnosis::engine) fn example(
    judged: &JudgedHandoff<'_>,
    findings: &BTreeMap<TraceId, BTreeSet<String>>,
) -> (Vec<HandoffReport>, Vec<TraceReport>) {
    let handoff = &judged.handoff;
    let spans = handoff.producer.iter().chain(&handoff.consumers).chain(handoff.candidate_runs.first());
    let traces: BTreeMap<_, _> = spans.map(|found| (found.trace.id, found.trace)).collect();
    let report = |trace: &&Trace| trace_report(trace, findings.get(&trace.id), Listing::default().spans);
    (vec![handoff_report(judged)], traces.values().map(report).collect())
}

pub(super) fn handoff_report(judged: &JudgedHandoff<'_>) -> HandoffReport {
    const CONSUMERS: usize = 10;
    let handoff = &judged.handoff;
    let pair = |found: &SpanRef<'_>| (found.trace.id, found.span.id);
    let sender = || handoff.contexts().next().map(|context| (context.trace_id, context.span_id));
    HandoffReport {
        task_id: handoff.task_id.to_owned(),
        attempt: handoff.attempt,
        task: handoff.task.to_owned(),
        stations: judged.stations,
        queue_wait_ms: handoff.queue_wait_ms(),
        finding: judged.finding.clone(),
        unproven: judged.unproven.map(UnprovenReason::reason),
        joined_by: handoff.joined_by.map(JoinedBy::label),
        producer: handoff.producer.as_ref().map(pair).or_else(sender),
        consumers: handoff
            .consumers
            .iter()
            .chain(handoff.candidate_runs.first())
            .take(CONSUMERS)
            .map(pair)
            .collect(),
        deliveries: handoff
            .delivery
            .map_or(0, |delivery| u32::try_from(delivery.deliveries()).unwrap_or(u32::MAX)),
        result: handoff.result.map(result_text),
    }
}

fn result_text(result: &TaskResult) -> String {
    let status = match &result.status {
        TaskStatus::Pending => "PENDING",
        TaskStatus::Started => "STARTED",
        TaskStatus::Retry => "RETRY",
        TaskStatus::Success => "SUCCESS",
        TaskStatus::Failure => "FAILURE",
        TaskStatus::Revoked => "REVOKED",
        TaskStatus::Custom(status) => status,
    };
    match &result.exception {
        Some(exception) => format!("{status} {}", exception.kind),
        None => status.to_owned(),
    }
}

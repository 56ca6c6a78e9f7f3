//! Assembles the report.

use super::handoffs::handoff_report;
use super::listing::Listing;
use super::queues::{messages, queue_depth, queues, tasks};
use super::traces::traces;
use crate::diagnosis::advice::tracelink::WRONG_DATABASE;
use crate::diagnosis::engine::conclusions::Conclusions;
use crate::diagnosis::engine::judge_all::{Judged, judge_all};
use crate::diagnosis::engine::unproven::{HOLES, LOOK_ENDED_EARLY, nothing_handed_over};
use crate::evidence::{Broker, Evidence, Service};
use crate::model::{Inputs, LimitCounts, Metrics, Report, Timestamp, Unproven, Verdict};

/// Judges the evidence and reports on it. `now` is the clock of the evidence.
pub fn report(evidence: &Evidence, now: Timestamp, listing: Listing) -> Report {
    report_with(evidence, &Conclusions::default(), now, listing, None)
}

/// The same, with an expected number of whole hand-offs: fewer are a finding.
pub fn report_expecting(
    evidence: &Evidence,
    now: Timestamp,
    listing: Listing,
    expected: Option<u64>,
) -> Report {
    report_with(evidence, &Conclusions::default(), now, listing, expected)
}

/// The same, with the conclusions from evidence that was let go.
pub(in crate::diagnosis::engine) fn report_with(
    evidence: &Evidence,
    past: &Conclusions,
    now: Timestamp,
    listing: Listing,
    expected: Option<u64>,
) -> Report {
    let judged = judge_all(evidence, past, now, listing.handoffs, expected);
    let mut report = Report {
        inputs: inputs(evidence, &judged),
        queues: queues(evidence),
        tasks: tasks(evidence, &judged),
        handoffs: judged.handoffs.iter().map(handoff_report).collect(),
        metrics: metrics(evidence, &judged),
        ..Report::default()
    };
    let (messages, total) = messages(evidence, &judged, listing);
    let (traces, traces_not_listed) = traces(evidence, &judged, listing);
    report.limits = LimitCounts {
        messages_not_listed: total - messages.len() as u64,
        handoffs_not_listed: judged.total.saturating_sub(judged.handoffs.len() as u64),
        traces_not_listed,
        messages_not_read: report
            .queues
            .iter()
            .map(|queue| (queue.ready + queue.unacked).saturating_sub(queue.read))
            .sum(),
        messages_not_seen: judged.figures.unseen_messages,
        ..limits(evidence)
    };
    report.messages = messages;
    report.traces = traces;
    let unproven = unproven(evidence, &judged);
    report.findings = judged.findings;
    report.retracted = judged.retracted;
    report.verdict = Verdict::of(&report.findings, &report.inputs, unproven);
    report
}

/// What could not be proven about the hand-offs. Without any evidence there is nothing to
/// prove.
fn unproven(evidence: &Evidence, judged: &Judged<'_>) -> Vec<Unproven> {
    let saw_broker = !evidence.brokers.is_empty();
    let has_spans = evidence.spans.span_count() > 0;
    if judged.total == 0 && has_spans {
        let serves = evidence.processes.services().values().any(Service::serves);
        let holes = evidence.has_holes().then_some(HOLES);
        let ran = judged.figures.end_to_end_ms.distribution().is_some();
        return [nothing_handed_over(saw_broker, serves, ran)].into_iter().chain(holes).collect();
    }
    let mut unproven = judged.figures.proof.unproven(evidence);
    if saw_broker && !evidence.brokers.iter().any(Broker::holds_anything) {
        unproven.iter_mut().for_each(|reason| reason.needs = WRONG_DATABASE);
    }
    if evidence.brokers.last_looks().any(|look| look.ended_early) {
        unproven.push(LOOK_ENDED_EARLY);
    }
    if evidence.has_holes() && unproven.iter().all(|reason| reason.reason != HOLES.reason) {
        unproven.push(HOLES);
    }
    unproven
}

/// What was let go or refused, so far.
pub(in crate::diagnosis::engine) fn limits(evidence: &Evidence) -> LimitCounts {
    LimitCounts {
        evicted_traces: evidence.counts().evicted_traces,
        evicted_spans: evidence.spans.let_go(),
        forgotten_marks: evidence.forgotten_marks(),
        rejected_spans: evidence.counts().rejected_spans,
        not_saved: evidence.counts().not_saved,
        messages_seen_twice: evidence.counts().messages_read_twice,
        evicted_looks: evidence.brokers.looks_let_go(),
        names_not_kept: evidence.brokers.names_left_out() + evidence.processes.beyond,
        ..LimitCounts::default()
    }
}

fn inputs(evidence: &Evidence, judged: &Judged<'_>) -> Inputs {
    let kept: usize = evidence.tasks.iter().map(|task| task.messages.len()).sum();
    Inputs {
        messages: kept as u64 + evidence.class_counts.counted() + evidence.counts().evicted_messages,
        spans: evidence.spans.span_count(),
        traces: evidence.spans.trace_count(),
        results: evidence.tasks.results(),
        handoffs: judged.total,
        handoffs_whole: judged.figures.proof.whole,
        snapshots: evidence.brokers.looks(),
        metrics: evidence.counts().metric_points,
        logs: evidence.counts().log_records,
        foreign_entries: evidence.counts().foreign_entries,
        requests: evidence.receiver().total(),
        span_account: evidence.span_account(),
    }
}

fn metrics(evidence: &Evidence, judged: &Judged<'_>) -> Metrics {
    Metrics {
        end_to_end_ms: judged.figures.end_to_end_ms.distribution(),
        queue_wait_ms: judged.figures.queue_wait_ms.distribution(),
        queue_depth: queue_depth(evidence),
        retries: judged.figures.retries,
        broken_handoffs: judged.figures.broken,
        orphaned_roots: judged.figures.orphaned_roots,
        failures: judged.figures.failures.clone(),
    }
}

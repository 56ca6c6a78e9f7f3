//! The one golden report, out of the evidence and what was judged of it.

use std::collections::{BTreeMap, BTreeSet};

use super::conclusions::Conclusions;
use super::excerpt::excerpt;
use super::judge::JudgedHandoff;
use super::judge_all::{Judged, judge_all};
use super::unproven::{HOLES, LOOK_ENDED_EARLY, UnprovenReason, nothing_handed_over};
use crate::diagnosis::advice::tracelink::WRONG_DATABASE;
use crate::evidence::{Broker, Evidence, Look, Service, SpanRef, StoredSpan, Trace};
use crate::model::{
    ContextReport, HandoffReport, Inputs, Limits, Message, MessageReport, Metrics, ParentOrigin, QueueReport,
    Report, ShareReport, SpanKind, SpanReport, TaskStatus, Timestamp, TraceId, TraceReport, Unproven,
    Verdict,
};

/// How much of the healthy a report lists beside what has findings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listing {
    /// Hand-offs of one finding, or of none, at most.
    pub handoffs: usize,
    /// Messages, at most.
    pub messages: usize,
    /// Traces without a finding, at most.
    pub healthy_traces: usize,
    /// Traces with a finding, at most.
    pub broken_traces: usize,
    /// Spans of one trace, at most.
    pub spans: usize,
}

impl Default for Listing {
    fn default() -> Self {
        Self { handoffs: 100, messages: 1_000, healthy_traces: 10, broken_traces: 50, spans: 500 }
    }
}

/// Judges the evidence and reports on it. `now` is the clock of the evidence.
pub fn report(evidence: &Evidence, now: Timestamp, listing: Listing) -> Report {
    report_with(evidence, &Conclusions::default(), now, listing, None)
}

/// The same, where so many whole hand-offs are expected: fewer are a finding.
pub fn report_expecting(
    evidence: &Evidence,
    now: Timestamp,
    listing: Listing,
    expected: Option<u64>,
) -> Report {
    report_with(evidence, &Conclusions::default(), now, listing, expected)
}

/// The same, with what was concluded of evidence that was let go.
pub fn report_with(
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
    report.limits = Limits {
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

/// What could not be told of the hand-offs. Nothing is asked of evidence that
/// is not there at all.
fn unproven(evidence: &Evidence, judged: &Judged<'_>) -> Vec<Unproven> {
    let saw_broker = !evidence.brokers.is_empty();
    let has_spans = evidence.spans.span_count() > 0;
    if judged.total == 0 && has_spans {
        let serves = evidence.processes.services().values().any(Service::serves);
        let holes = evidence.has_holes.then_some(HOLES);
        return [nothing_handed_over(saw_broker, serves)].into_iter().chain(holes).collect();
    }
    let mut unproven = judged.figures.proof.unproven(saw_broker);
    if saw_broker && !evidence.brokers.iter().any(Broker::holds_anything) {
        unproven.iter_mut().for_each(|gap| gap.needs = WRONG_DATABASE);
    }
    if evidence.brokers.last_looks().any(|look| look.ended_early) {
        unproven.push(LOOK_ENDED_EARLY);
    }
    unproven.extend(evidence.has_holes.then_some(HOLES));
    unproven
}

/// What was let go or refused, so far.
pub(super) fn limits(evidence: &Evidence) -> Limits {
    Limits {
        evicted_traces: evidence.evicted_traces,
        evicted_spans: evidence.spans.let_go(),
        forgotten_marks: evidence.ages.forgotten_marks(),
        rejected_spans: evidence.rejected_spans,
        not_saved: evidence.not_saved,
        messages_seen_twice: evidence.seen_twice,
        evicted_looks: evidence.brokers.looks_let_go(),
        names_not_kept: evidence.brokers.names_left_out() + evidence.processes.beyond,
        ..Limits::default()
    }
}

/// Hand-offs by themselves, as a stream tells of them.
pub(super) fn handoff_reports(handoffs: &[JudgedHandoff<'_>]) -> Vec<HandoffReport> {
    handoffs.iter().map(handoff_report).collect()
}

/// A hand-off with the traces that it has a part in.
pub(super) fn example(
    judged: &JudgedHandoff<'_>,
    findings: &BTreeMap<TraceId, BTreeSet<String>>,
) -> (Vec<HandoffReport>, Vec<TraceReport>) {
    let handoff = &judged.handoff;
    let spans = handoff.producer.iter().chain(&handoff.consumers).chain(handoff.lookalikes.first());
    let traces: BTreeMap<_, _> = spans.map(|found| (found.trace.id, found.trace)).collect();
    let report = |trace: &&Trace| trace_report(trace, findings.get(&trace.id), Listing::default().spans);
    (vec![handoff_report(judged)], traces.values().map(report).collect())
}

fn inputs(evidence: &Evidence, judged: &Judged<'_>) -> Inputs {
    let kept: usize = evidence.tasks.iter().map(|task| task.messages.len()).sum();
    Inputs {
        messages: kept as u64 + evidence.class_counts.counted() + evidence.evicted_messages,
        spans: evidence.spans.span_count(),
        traces: evidence.spans.trace_count(),
        results: evidence.tasks.results(),
        handoffs: judged.total,
        handoffs_whole: judged.figures.proof.whole,
        snapshots: evidence.brokers.looks(),
        metrics: evidence.metric_points,
        logs: evidence.log_records,
        foreign_entries: evidence.foreign_entries,
        requests: evidence.receiver.total(),
        span_account: evidence.span_account(),
    }
}

/// The queues at the last look at each broker.
fn queues(evidence: &Evidence) -> Vec<QueueReport> {
    let report = |look: &Look| {
        let workers = look.workers.as_ref().map(|workers| workers.len() as u64);
        look.queues
            .iter()
            .map(|(name, seen)| QueueReport {
                name: name.to_string(),
                ready: seen.ready,
                unacked: seen.unacked,
                read: seen.read,
                priorities: seen.priorities.iter().map(|(step, length)| (*step, *length)).collect(),
                foreign: seen.foreign,
                workers,
            })
            .collect::<Vec<_>>()
    };
    evidence.brokers.last_looks().flat_map(report).collect()
}

/// Every message that was seen, with how many it stands for.
fn seen_messages(evidence: &Evidence) -> impl Iterator<Item = (&Message, u64)> {
    let kept = evidence.tasks.iter().flat_map(|task| &task.messages).map(|delivery| (&*delivery.message, 1));
    let counted = evidence
        .class_counts
        .classes()
        .filter_map(|class| Some((&*class.examples.first()?.message, class.count)));
    kept.chain(counted)
}

fn tasks(evidence: &Evidence, judged: &Judged<'_>) -> Vec<ShareReport> {
    const ORIGINS: usize = 10;
    const NO_CONTEXT: &str = "none";
    let mut shares = BTreeMap::<&str, ShareReport>::new();
    for (message, count) in seen_messages(evidence) {
        let share = shares
            .entry(&message.task)
            .or_insert_with(|| ShareReport { task: message.task.to_string(), ..ShareReport::default() });
        share.messages += count;
        let formats: BTreeSet<_> = message.contexts.iter().map(|carried| carried.format.label()).collect();
        for format in formats.into_iter().chain(message.contexts.is_empty().then_some(NO_CONTEXT)) {
            *share.contexts.entry(format).or_default() += count;
        }
        if let Some(origin) = message.origin.as_deref() {
            *share.origins.entry(origin.to_owned()).or_default() += count;
        }
    }
    for (task, findings) in &judged.shares {
        if let Some(share) = shares.get_mut(task) {
            share.findings.clone_from(findings);
        }
    }
    for share in shares.values_mut() {
        let mut by_count: Vec<_> = std::mem::take(&mut share.origins).into_iter().collect();
        by_count.sort_by_key(|(origin, count)| (std::cmp::Reverse(*count), origin.clone()));
        share.origins = by_count.into_iter().take(ORIGINS).collect();
    }
    let mut shares: Vec<_> = shares.into_values().collect();
    shares.sort_by_key(|share| (std::cmp::Reverse(share.messages), share.task.clone()));
    shares
}

/// The messages to list, those with a finding first, and how many there are in all.
fn messages(evidence: &Evidence, judged: &Judged<'_>, listing: Listing) -> (Vec<MessageReport>, u64) {
    let mut listed: Vec<(bool, MessageReport)> = Vec::new();
    for judged in &judged.handoffs {
        let Some(delivery) = judged.handoff.delivery else { continue };
        let class = evidence
            .class_counts
            .classes()
            .find(|class| class.examples.first().is_some_and(|first| std::ptr::eq(first, delivery)));
        let alike = class.map_or(std::slice::from_ref(delivery), |class| &class.examples[..]);
        for delivery in alike {
            listed.push((judged.finding.is_none(), message_report(&delivery.message, judged)));
        }
    }
    // Those with a finding first; among equals the next to be consumed.
    listed.sort_by_cached_key(|(healthy, message)| {
        let next_out = (message.priority, std::cmp::Reverse(message.index));
        (
            *healthy,
            message.queue.clone(),
            message.state == "ready",
            next_out,
            message.id.clone(),
            message.attempt,
        )
    });
    listed.truncate(listing.messages);
    let total = seen_messages(evidence).map(|(_, count)| count).sum();
    (listed.into_iter().map(|(_, message)| message).collect(), total)
}

fn message_report(message: &Message, judged: &JudgedHandoff<'_>) -> MessageReport {
    MessageReport {
        queue: message.queue.to_string(),
        state: message.state.label(),
        task: message.task.to_string(),
        id: message.id.to_string(),
        attempt: message.retries,
        origin: message.origin.as_deref().map(str::to_owned),
        priority: message.priority,
        index: message.index,
        eta: message.eta,
        contexts: message.contexts.iter().map(ContextReport::from).collect(),
        args: message.args.as_deref().map(str::to_owned),
        findings: judged.finding.iter().chain(&judged.remarks).cloned().collect(),
    }
}

fn handoff_report(judged: &JudgedHandoff<'_>) -> HandoffReport {
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
        joined_by: handoff.joined_by.map(crate::evidence::JoinedBy::label),
        producer: handoff.producer.as_ref().map(pair).or_else(sender),
        consumers: handoff
            .consumers
            .iter()
            .chain(handoff.lookalikes.first())
            .take(CONSUMERS)
            .map(pair)
            .collect(),
        deliveries: handoff
            .delivery
            .map_or(0, |delivery| u32::try_from(delivery.deliveries()).unwrap_or(u32::MAX)),
        result: handoff.result.map(result_text),
    }
}

fn result_text(result: &crate::model::TaskResult) -> String {
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

/// The traces to list, and how many are left out.
fn traces(evidence: &Evidence, judged: &Judged<'_>, listing: Listing) -> (Vec<TraceReport>, u64) {
    let marked = judged.traces.keys().filter_map(|id| evidence.spans.trace(*id));
    let mut listed: Vec<_> = marked.take(listing.broken_traces).collect();
    let mut healthy: Vec<_> =
        evidence.spans.traces().filter(|trace| !judged.traces.contains_key(&trace.id)).collect();
    // Those that passed through a queue are the ones that people come for.
    healthy.sort_by_cached_key(|trace| {
        let passed = trace.spans.iter().any(|span| span.kind == SpanKind::Consumer);
        (!passed, trace.extent().0, trace.id)
    });
    listed.extend(healthy.into_iter().take(listing.healthy_traces));
    let left_out = evidence.spans.trace_count().saturating_sub(listed.len() as u64);
    let reports = listed
        .into_iter()
        .map(|trace| trace_report(trace, judged.traces.get(&trace.id), listing.spans))
        .collect();
    (reports, left_out)
}

/// A trace with at most `limit` of its spans.
pub(super) fn trace_report(trace: &Trace, findings: Option<&BTreeSet<String>>, limit: usize) -> TraceReport {
    let spans = excerpt(trace, limit);
    let finding = findings.and_then(BTreeSet::first);
    TraceReport {
        trace_id: trace.id,
        healthy: finding.is_none(),
        complete: spans.len() == trace.spans.len(),
        span_count: trace.spans.len() as u64,
        spans: spans.into_iter().map(|span| span_report(trace, span, finding)).collect(),
    }
}

fn span_report(trace: &Trace, span: &StoredSpan, finding: Option<&String>) -> SpanReport {
    let detail = span.detail();
    let is_root = span.parent.is_none() && detail.links.is_empty();
    let lost_parent = span.parent.is_some_and(|parent| trace.get(parent).is_none());
    let should_have_one = match span.kind {
        SpanKind::Consumer => is_root || lost_parent,
        SpanKind::Server => false,
        _ => lost_parent && span.parent_origin != ParentOrigin::Unknown,
    };
    SpanReport {
        span_id: span.id,
        parent_id: span.parent,
        service: span.service().to_owned(),
        name: span.name.to_string(),
        kind: span.kind.label(),
        start: span.start,
        duration_ms: span.end.millis_since(span.start),
        status: span.status.label(),
        task_id: detail.message_id.as_deref().map(str::to_owned),
        orphan: finding.filter(|_| should_have_one).cloned(),
        exception: detail
            .exceptions
            .first()
            .map(|exception| format!("{}: {}", exception.kind, exception.message)),
        retries: detail.retries,
        links: detail.links.iter().map(|link| (link.trace_id, link.span_id)).collect(),
    }
}

/// Ready messages by the queue's name. Two brokers may have a queue of one name.
fn queue_depth(evidence: &Evidence) -> BTreeMap<String, u64> {
    let mut depth = BTreeMap::<_, u64>::new();
    for (queue, seen) in evidence.brokers.last_looks().flat_map(|look| &look.queues) {
        *depth.entry(queue.to_string()).or_default() += seen.ready;
    }
    depth
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

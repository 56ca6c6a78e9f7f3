//! Numbers that people monitor, over all hand-offs.

use std::collections::BTreeMap;

use super::unproven::ProofCounts;
use crate::evidence::{Handoff, Trace};
use crate::model::memory_size::{allocation, in_tree};
use crate::model::{Durations, RetryShare, SpanKind, Timestamp};

/// The figures so far.
#[derive(Clone, Default, Debug)]
pub struct Figures {
    /// The time from the start of a request to the end of the last span of its trace, if a
    /// task ran in it. For a run that only links to it, to the end of the run's trace.
    pub end_to_end_ms: Durations,
    pub queue_wait_ms: Durations,
    pub retries: RetryShare,
    /// How many hand-offs are whole, and what the others lack.
    pub proof: ProofCounts,
    /// Hand-offs with an error.
    pub broken: u64,
    /// Runs that wrongly began a trace of their own.
    pub orphaned_roots: u64,
    /// Hand-offs whose message was never seen, though their broker was looked at.
    pub unseen_messages: u64,
    /// Failed tasks by exception.
    pub failures: BTreeMap<String, u64>,
}

impl Figures {
    /// How many kinds of exceptions are told apart. Their names come from outside.
    const FAILURES: usize = 1_000;

    /// About how many bytes they take.
    pub fn bytes(&self) -> usize {
        let failures =
            self.failures.keys().map(|kind| in_tree(size_of::<(String, u64)>()) + allocation(kind.len()));
        self.end_to_end_ms.bytes() + self.queue_wait_ms.bytes() + failures.sum::<usize>()
    }

    pub fn saw_trace(&mut self, trace: &Trace) {
        let ran = trace.spans.iter().any(|span| span.kind == SpanKind::Consumer);
        if let Some(served) = served_at(trace).filter(|_| ran) {
            self.end_to_end_ms.add(trace.extent().1.millis_since(served));
        }
    }

    /// Takes the hand-offs of one task.
    pub fn saw_task(&mut self, handoffs: &[Handoff<'_>]) {
        let attempts = handoffs.iter().filter(|handoff| !handoff.consumers.is_empty()).count() as u64;
        if attempts > 0 {
            self.retries.tasks += 1;
            self.retries.retried += u64::from(attempts > 1);
            self.retries.attempts += attempts;
        }
        self.queue_wait_ms.extend(handoffs.iter().filter_map(Handoff::queue_wait_ms));
        self.end_to_end_ms.extend(linked_end_to_end(handoffs));
        let Some(last) = handoffs.last() else { return };
        if let Some(failure) = last.failure().or_else(|| Some(last.failed_run()?.1))
            && (self.failures.len() < Self::FAILURES || self.failures.contains_key(&*failure.kind))
        {
            *self.failures.entry(failure.kind.to_string()).or_default() += 1;
        }
    }
}

/// When the first request of a trace began.
fn served_at(trace: &Trace) -> Option<Timestamp> {
    let servers = trace.spans.iter().filter(|span| span.kind == SpanKind::Server);
    servers.map(|span| span.start).min()
}

/// From the start of the request to the end of the last run that links to it.
fn linked_end_to_end(handoffs: &[Handoff<'_>]) -> Option<f64> {
    let linked =
        handoffs.iter().filter_map(|handoff| Some((handoff.linked?.trace, handoff.consumer()?.trace)));
    let began = linked.clone().filter_map(|(sender, _)| served_at(sender)).min()?;
    let ended = linked.map(|(_, runner)| runner.extent().1).max()?;
    Some(ended.millis_since(began))
}

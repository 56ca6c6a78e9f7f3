//! The queues of a report, their messages, and what they hold of each task.

use std::collections::{BTreeMap, BTreeSet};

use super::listing::Listing;
use crate::diagnosis::engine::judge::JudgedHandoff;
use crate::diagnosis::engine::judge_all::Judged;
use crate::evidence::{Evidence, Look};
use crate::model::{ContextReport, Message, MessageReport, QueueReport, ShareReport};

/// The queues at the last look at each broker.
pub(super) fn queues(evidence: &Evidence) -> Vec<QueueReport> {
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

/// Every message that was seen, with how many messages it stands for.
fn seen_messages(evidence: &Evidence) -> impl Iterator<Item = (&Message, u64)> {
    let kept = evidence.tasks.iter().flat_map(|task| &task.messages).map(|delivery| (&*delivery.message, 1));
    let counted = evidence
        .class_counts
        .classes()
        .filter_map(|class| Some((&*class.examples.first()?.message, class.count)));
    kept.chain(counted)
}

pub(super) fn tasks(evidence: &Evidence, judged: &Judged<'_>) -> Vec<ShareReport> {
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
pub(super) fn messages(
    evidence: &Evidence,
    judged: &Judged<'_>,
    listing: Listing,
) -> (Vec<MessageReport>, u64) {
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

/// Ready messages by the queue's name. Two brokers may have a queue of one name.
pub(super) fn queue_depth(evidence: &Evidence) -> BTreeMap<String, u64> {
    let mut depth = BTreeMap::<_, u64>::new();
    for (queue, seen) in evidence.brokers.last_looks().flat_map(|look| &look.queues) {
        *depth.entry(queue.to_string()).or_default() += seen.ready;
    }
    depth
}

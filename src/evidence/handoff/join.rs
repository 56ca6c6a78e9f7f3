//! Joins what is filed under one task id to the hand-offs of that task, one for each
//! attempt.

use std::collections::{BTreeMap, BTreeSet};

use super::presence::Presence;
use super::view::{Handoff, JoinedBy};
use crate::evidence::Evidence;
use crate::evidence::spans::{SpanKey, SpanRef};
use crate::evidence::tasks::{Delivery, Task};
use crate::evidence::unit::Unit;
use crate::model::{Map, Set, SpanKind};

impl Task {
    /// Whether it is known to be Celery's. A hand-made PRODUCER span alone does not show
    /// that: programs that write to a Redis stream make such spans too. It also needs a
    /// Celery queue as its destination, or something else under the same id.
    pub fn is_celery_task(&self, known: &Evidence) -> bool {
        let is_known = |key: SpanKey| {
            let Some(producer) = known.spans.get(key) else { return false };
            let detail = producer.span.attributes();
            let exchange = detail.exchange.as_deref().filter(|exchange| !exchange.is_empty());
            let is_routed =
                |destination: &str| known.brokers.iter().any(|broker| broker.routes(exchange, destination));
            detail.action.is_some()
                || detail.task.is_some()
                || detail.destination.as_deref().is_some_and(is_routed)
                || !known.tasks.continuations(key).is_empty()
        };
        !self.messages.is_empty()
            || self.result.is_some()
            || !self.consumers.is_empty()
            || !known.tasks.named(&self.id).is_empty()
            || self.producers.iter().any(|key| is_known(*key))
    }

    /// The task's name, from whatever states it.
    pub fn name<'e>(&'e self, known: &'e Evidence) -> &'e str {
        let of_message = self.messages.first().map(|delivery| &*delivery.message.task);
        let of_spans = || {
            let sides = [&self.producers, &self.consumers];
            sides.into_iter().find_map(|spans| {
                let spans = spans.iter().filter_map(|key| known.spans.get(*key));
                let named = spans
                    .filter_map(|found| Some((found.span.start, found.span.attributes().task.as_deref()?)));
                named.min().map(|(_, name)| name)
            })
        };
        of_message.or_else(of_spans).or_else(|| self.result.as_ref()?.task.as_deref()).unwrap_or_default()
    }

    /// The hand-offs of this task in order, one for each attempt.
    pub fn handoffs<'e>(&'e self, known: &'e Evidence) -> Vec<Handoff<'e>> {
        if !self.is_celery_task(known) {
            return Vec::new();
        }
        let consumers = self.all_consumers(known);
        let producers: Vec<_> = self.producers.iter().filter_map(|key| known.spans.get(*key)).collect();
        let mut attempts = BTreeMap::<u32, Attempt<'e>>::new();
        for delivery in &self.messages {
            attempts.entry(delivery.message.retries).or_default().deliveries.push(delivery);
        }
        for consumer in consumers {
            let attempt = consumer.0.span.attributes().retries.unwrap_or(0);
            attempts.entry(attempt).or_default().consumers.push(consumer);
        }
        let senders = if producers.is_empty() { Map::default() } else { self.senders(known) };
        for producer in producers {
            let attempt = attempts.entry(self.attempt_of_producer(producer, &senders)).or_default();
            // A hand-made span may enclose the instrumentor's.
            let order = |found: SpanRef<'_>| {
                (found.span.attributes().action.is_none(), found.span.start, found.span.id)
            };
            let is_first = attempt.producer.is_none_or(|known| order(producer) < order(known));
            if is_first {
                attempt.producer = Some(producer);
            }
        }
        if attempts.is_empty() {
            let attempt = self.result.as_ref().and_then(|result| result.retries).unwrap_or(0);
            attempts.insert(attempt, Attempt::default());
        }
        let last = attempts.keys().next_back().copied();

        let task = self.name(known);
        let is_remnant = known.has_let_go() && self.is_remnant(known, has_one_side(&attempts));
        attempts
            .into_iter()
            .map(|(attempt, Attempt { deliveries, producer, consumers: mut ours })| {
                // In the broker where it was last seen: one broker may pass it on to
                // another.
                let deliveries = deliveries.into_iter().rev();
                let delivery = deliveries.max_by_key(|known| known.last().at);
                ours.sort_by_key(|(consumer, _)| (consumer.span.start, consumer.span.id));
                let mut handoff = Handoff {
                    task_id: &self.id,
                    attempt,
                    task,
                    producer,
                    delivery,
                    joined_by: ours.iter().map(|(_, joined_by)| *joined_by).min(),
                    consumers: ours.into_iter().map(|(consumer, _)| consumer).collect(),
                    candidate_runs: Vec::new(),
                    linked: None,
                    result: self.result.as_deref().filter(|_| Some(attempt) == last),
                    presence: match (delivery, producer) {
                        (Some(delivery), _) => known.presence_of(delivery),
                        (None, Some(producer)) => known.presence_of_unseen(producer.span),
                        (None, None) => Presence::Unknown,
                    },
                    was_retried: Some(attempt) != last,
                    is_remnant,
                    alike: 1,
                };
                handoff.linked = handoff.link_target(known);
                handoff
            })
            .collect()
    }

    /// Whether one of its traces, or a part of the task itself, was let go or may have
    /// been: it began after marks were forgotten, and one of its sides is missing.
    fn is_remnant(&self, known: &Evidence, has_one_side: bool) -> bool {
        self.age.is_remnant
            || (self.age.is_late && has_one_side)
            || self.traces().any(|id| match known.spans.trace(id) {
                Some(trace) => trace.is_remnant(),
                None => known.spans.span_count() > 0 && known.ages.may_have_let_go(&Unit::Trace(id)),
            })
    }

    /// Consumers with the id, whoever made them, and hand-made ones that continue one of
    /// the task's contexts.
    fn all_consumers<'e>(&'e self, known: &'e Evidence) -> Vec<(SpanRef<'e>, JoinedBy)> {
        let mut found: Vec<_> = self
            .consumers
            .iter()
            .chain(known.tasks.named(&self.id))
            .filter_map(|key| known.spans.get(*key))
            .map(|consumer| (consumer, JoinedBy::TaskId))
            .collect();
        let carried = self
            .messages
            .iter()
            .flat_map(|delivery| &delivery.message.contexts)
            .filter_map(|carried| carried.context())
            .map(|context| SpanKey { trace_id: context.trace_id, span_id: context.span_id });
        let contexts: BTreeSet<_> = carried.chain(self.producers.iter().copied()).collect();
        let mut seen: Set<_> = found.iter().map(|(known, _)| known.key()).collect();
        for context in contexts {
            let candidates = known.continuations_for(context, self);
            for key in candidates.runs {
                let Some(consumer) = known.spans.get(key) else { continue };
                if !seen.insert(key) {
                    continue;
                }
                let by_parent = consumer.span.parent == Some(context.span_id);
                let joined_by = match by_parent {
                    _ if candidates.is_ambiguous => JoinedBy::Timing,
                    true => JoinedBy::Traceparent,
                    false => JoinedBy::Link,
                };
                found.push((consumer, joined_by));
            }
        }
        if found.is_empty() {
            let followers = self.contexts().flat_map(|context| known.unflagged_followers(context, self));
            found.extend(followers.map(|follower| (follower, JoinedBy::Traceparent)));
        }
        found
    }

    /// Which attempt each context belongs to: the first whose message carries it, or whose
    /// run has it as its parent.
    fn senders(&self, known: &Evidence) -> Map<SpanKey, u32> {
        let mut senders = Map::default();
        for Delivery { message, .. } in &self.messages {
            for context in message.contexts.iter().filter_map(|carried| carried.context()) {
                let key = SpanKey { trace_id: context.trace_id, span_id: context.span_id };
                senders.entry(key).or_insert(message.retries);
            }
        }
        let runs = self.consumers.iter().filter_map(|key| known.spans.get(*key)).filter_map(|run| {
            let parent = SpanKey { trace_id: run.trace.id, span_id: run.span.parent? };
            Some((run.span.attributes().retries.unwrap_or(0), parent))
        });
        // If there are several, the first attempt, in whatever order they came.
        let mut runs: Vec<_> = runs.collect();
        runs.sort_unstable();
        for (attempt, parent) in runs {
            senders.entry(parent).or_insert(attempt);
        }
        senders
    }

    /// PRODUCER spans carry no retry count. The message that carries the span's own context
    /// says which attempt it is, or else the run below it (a replaced task goes on under
    /// the same id and attempt). Otherwise a retry is published from inside the run of the
    /// attempt before.
    fn attempt_of_producer(&self, producer: SpanRef<'_>, senders: &Map<SpanKey, u32>) -> u32 {
        if let Some(attempt) = senders.get(&producer.key()) {
            return *attempt;
        }
        let run = producer
            .trace
            .ancestors(producer.span)
            .find(|above| above.kind == SpanKind::Consumer && above.message_id() == Some(&self.id));
        // The count comes from outside and may be as large as its type allows.
        run.map_or(0, |run| run.attributes().retries.unwrap_or(0).saturating_add(1))
    }
}

/// Whether spans were seen of one side only: of the sender, or of the worker.
fn has_one_side(attempts: &BTreeMap<u32, Attempt<'_>>) -> bool {
    let runs = || attempts.values().flat_map(|attempt| &attempt.consumers).map(|(run, _)| run);
    let was_sent = attempts.values().any(|attempt| attempt.producer.is_some())
        || runs().any(|run| run.trace.parent_of(run.span).is_some());
    was_sent != runs().next().is_some()
}

/// What was seen of one attempt.
#[derive(Default)]
struct Attempt<'e> {
    deliveries: Vec<&'e Delivery>,
    /// The instrumentor's; of several, the first to start.
    producer: Option<SpanRef<'e>>,
    consumers: Vec<(SpanRef<'e>, JoinedBy)>,
}

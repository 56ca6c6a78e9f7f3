//! The hand-off: the passage of one attempt of one task from the process that
//! published it to the process that ran it. The unit of diagnosis.
//!
//! A hand-off is a view that is made when it is asked for, out of what lies
//! under the task's id. Nothing is decided while evidence comes in, so the
//! order in which it comes in changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::Evidence;
use super::age::Unit;
use super::fate::Fate;
use super::spans::{SpanKey, SpanRef};
use super::tasks::{Delivery, Task};
use crate::model::{Exception, Map, Message, Set, SpanKind, SpanStatus, TaskResult, TaskStatus, TraceId};

/// One attempt of one task, from every side that was seen.
#[derive(Debug)]
pub struct Handoff<'e> {
    pub task_id: &'e str,
    /// 0 for the first attempt.
    pub attempt: u32,
    /// The task's name; empty where nothing says it.
    pub task: &'e str,
    /// The PRODUCER span: the Celery instrumentor's, or one made by hand that names
    /// the message.
    pub producer: Option<SpanRef<'e>>,
    pub delivery: Option<&'e Delivery>,
    /// In the order of their start.
    pub consumers: Vec<SpanRef<'e>>,
    /// Hand-made consumer spans that began a trace of their own and may be
    /// this one's: they carry no id, so this is never certain.
    pub lookalikes: Vec<SpanRef<'e>>,
    /// The span of another trace that the run links to, where it is known: the
    /// producer, or what the message names.
    pub linked: Option<SpanRef<'e>>,
    /// Of the last attempt only: the backend keeps one result a task.
    pub result: Option<&'e TaskResult>,
    pub fate: Fate,
    pub joined_by: Option<JoinedBy>,
    /// Whether a later attempt was seen.
    pub was_retried: bool,
    /// Whether a part of it was let go for want of memory: nothing may be said
    /// of what it lacks.
    pub is_remnant: bool,
    /// How many hand-offs are alike this one in all that matters, itself
    /// included: a queue is counted, not kept.
    pub alike: u64,
}

/// What joined the two sides. Ordered from the surest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum JoinedBy {
    TaskId,
    Traceparent,
    Link,
    /// One of several messages that one context was given to.
    Timing,
}

impl JoinedBy {
    pub const fn label(self) -> &'static str {
        match self {
            Self::TaskId => "task-id",
            Self::Traceparent => "traceparent",
            Self::Link => "link",
            Self::Timing => "timing",
        }
    }
}

/// How a consumer span hangs together with what was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Continuity {
    /// Its parent is the producer, a context of the message, or a span above
    /// the producer: one trace. Or it is a root that links to one of these.
    Whole,
    /// It has a parent in another trace than the producer's.
    Elsewhere,
    /// A root without a link to where it was sent from.
    Orphaned,
    /// It has a parent or a link, and nothing is known of the sending side.
    Unknown,
}

impl<'e> Handoff<'e> {
    /// Whether its run may as well be that of another message with the same
    /// context: what it shows holds for one of them.
    pub fn is_ambiguous(&self) -> bool {
        self.joined_by == Some(JoinedBy::Timing)
    }

    /// The PRODUCER span, where the instrumentor made it: then Celery's own code
    /// published, and the instrumentor wrote what its propagators write.
    pub fn instrumented_producer(&self) -> Option<SpanRef<'e>> {
        self.producer.filter(|producer| producer.span.detail().action.is_some())
    }

    pub fn message(&self) -> Option<&'e Message> {
        self.delivery.map(|delivery| &*delivery.message)
    }

    /// The consumer span that stands for the run: the instrumentor's, else the first.
    pub fn consumer(&self) -> Option<SpanRef<'e>> {
        let instrumented = self.consumers.iter().find(|consumer| consumer.span.is_instrumented_run());
        instrumented.or(self.consumers.first()).copied()
    }

    /// How the run continued what was sent; `None` where no run was seen.
    pub fn continuity(&self) -> Option<Continuity> {
        self.consumer().map(|consumer| self.continuity_of(consumer))
    }

    pub fn continuity_of(&self, consumer: SpanRef<'_>) -> Continuity {
        let links = &consumer.span.detail().links;
        let continues = |key: SpanKey| {
            (consumer.trace.id == key.trace_id && consumer.span.parent == Some(key.span_id))
                || links.iter().any(|link| link.trace_id == key.trace_id && link.span_id == key.span_id)
        };
        let producer = self.producer.map(SpanRef::key);
        if producer.is_some_and(continues) || self.contexts().any(continues) {
            return Continuity::Whole;
        }
        let is_root = consumer.span.parent.is_none();
        if is_root && links.is_empty() {
            return Continuity::Orphaned;
        }
        let sent_from: BTreeSet<_> =
            self.contexts().map(|key| key.trace_id).chain(producer.map(|key| key.trace_id)).collect();
        let is_of = |trace: TraceId| sent_from.contains(&trace);
        match () {
            () if sent_from.is_empty() => Continuity::Unknown,
            () if is_of(consumer.trace.id) => Continuity::Whole,
            () if !is_root => Continuity::Elsewhere,
            // A root is one by choice only where it links to where it was sent from.
            () if links.iter().any(|link| is_of(link.trace_id)) => Continuity::Whole,
            () => Continuity::Orphaned,
        }
    }

    /// The span that the run links to, of those that it may have been sent from.
    fn link_target(&self, known: &'e Evidence) -> Option<SpanRef<'e>> {
        let consumer = self.consumer()?;
        let links = &consumer.span.detail().links;
        let sent_by = || self.producer.map(SpanRef::key).into_iter().chain(self.contexts());
        let is_linked = |key: &SpanKey| {
            links.iter().any(|link| (link.trace_id, link.span_id) == (key.trace_id, key.span_id))
        };
        let target = (!links.is_empty()).then(|| sent_by().find(is_linked))??;
        known.spans.get(target).filter(|found| found.trace.id != consumer.trace.id)
    }

    /// The valid contexts that the message carries.
    pub fn contexts(&self) -> impl Iterator<Item = SpanKey> + use<'e> {
        let carried = self.message().map_or(&[][..], |message| &message.contexts);
        carried
            .iter()
            .filter_map(|carried| carried.context())
            .map(|context| SpanKey { trace_id: context.trace_id, span_id: context.span_id })
    }

    /// Whether a run of the task is known to have continued the trace.
    pub fn is_whole(&self) -> bool {
        matches!(self.continuity(), Some(Continuity::Whole | Continuity::Unknown))
    }

    /// Whether a worker is known to have taken the message.
    pub fn was_consumed(&self) -> bool {
        self.was_retried
            || !self.consumers.is_empty()
            || self.fate == Fate::Gone
            || self.result.is_some_and(|result| result.status != TaskStatus::Pending)
    }

    /// Whether a worker is known to have *run* the task: it was not only
    /// taken, but neither revoked nor thrown away as expired.
    pub fn was_run(&self) -> bool {
        self.was_retried
            || !self.consumers.is_empty()
            || self
                .result
                .is_some_and(|result| !matches!(result.status, TaskStatus::Pending | TaskStatus::Revoked))
    }

    /// The exception's class, where the result says that the task failed.
    pub fn failure(&self) -> Option<&'e Exception> {
        self.result.filter(|result| result.status == TaskStatus::Failure)?.exception.as_ref()
    }

    /// Whether the result says that the worker's process died under the task.
    pub fn was_killed(&self) -> bool {
        self.failure().is_some_and(|failure| &*failure.kind == "WorkerLostError")
    }

    /// The run whose span says that it failed, with its exception, where no
    /// result and no later attempt says otherwise.
    pub fn failed_run(&self) -> Option<(SpanRef<'e>, &'e Exception)> {
        let is_answered = self.was_retried
            || self
                .result
                .is_some_and(|result| result.status.is_final() || result.status == TaskStatus::Retry);
        let red = self.consumers.iter().filter(|consumer| {
            consumer.span.status == SpanStatus::Error && !consumer.span.detail().will_retry
        });
        red.filter(|_| !is_answered).find_map(|consumer| {
            let exceptions = &consumer.span.detail().exceptions;
            // A run that was steered is red by mistake, whatever else it recorded.
            let exception =
                exceptions.first().filter(|_| !exceptions.iter().any(Exception::steers_celery))?;
            Some((*consumer, exception))
        })
    }

    /// From the end of the PRODUCER span, the instrumentor's or a hand-made one
    /// that the run continues or links to, to the start of the run.
    pub fn queue_wait_ms(&self) -> Option<f64> {
        let consumer = self.consumer()?;
        let hand_made = || {
            let parent = consumer.span.parent.and_then(|parent| consumer.trace.get(parent));
            let sender = parent.or_else(|| Some(self.linked?.span))?;
            (sender.kind == SpanKind::Producer).then_some(sender)
        };
        let producer = self.producer.map(|producer| producer.span).or_else(hand_made)?;
        Some(consumer.span.start.millis_since(producer.end))
    }
}

impl Task {
    /// The task's name, by whoever says it.
    pub fn name<'e>(&'e self, known: &'e Evidence) -> &'e str {
        let of_message = self.messages.first().map(|delivery| &*delivery.message.task);
        let of_spans = || {
            let sides = [&self.producers, &self.consumers];
            sides.into_iter().find_map(|spans| {
                let spans = spans.iter().filter_map(|key| known.spans.get(*key));
                let named =
                    spans.filter_map(|found| Some((found.span.start, found.span.detail().task.as_deref()?)));
                named.min().map(|(_, name)| name)
            })
        };
        of_message.or_else(of_spans).or_else(|| self.result.as_ref()?.task.as_deref()).unwrap_or_default()
    }

    /// The hand-offs of this task, one an attempt, in their order.
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
            let attempt = consumer.0.span.detail().retries.unwrap_or(0);
            attempts.entry(attempt).or_default().consumers.push(consumer);
        }
        let senders = if producers.is_empty() { Map::default() } else { self.senders(known) };
        for producer in producers {
            let attempt = attempts.entry(self.attempt_of_producer(producer, &senders)).or_default();
            // One that was made by hand may stand around the instrumentor's.
            let order =
                |found: SpanRef<'_>| (found.span.detail().action.is_none(), found.span.start, found.span.id);
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
                // In whatever broker it was seen last: one may pass it on to another.
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
                    lookalikes: Vec::new(),
                    linked: None,
                    result: self.result.as_deref().filter(|_| Some(attempt) == last),
                    fate: match (delivery, producer) {
                        (Some(delivery), _) => known.fate_of(delivery),
                        (None, Some(producer)) => known.fate_of_unseen(producer.span),
                        (None, None) => Fate::Unknown,
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

    /// Whether a trace that it has a part in, or a part of its own, was let go, or
    /// may have been: it began when marks were forgotten, and one side of it is not
    /// to be seen.
    fn is_remnant(&self, known: &Evidence, has_one_side: bool) -> bool {
        self.age.is_remnant
            || (self.age.is_late && has_one_side)
            || self.traces().any(|id| match known.spans.trace(id) {
                Some(trace) => trace.is_remnant(),
                None => known.spans.span_count() > 0 && known.ages.may_have_let_go(&Unit::Trace(id)),
            })
    }

    /// Consumers with the id, whoever made them, and hand-made ones that
    /// continue one of the task's contexts.
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

    /// The attempt whose message carries each context, the first of several, or
    /// whose run has it as its parent.
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
            Some((run.span.detail().retries.unwrap_or(0), parent))
        });
        // The first attempt of several, in whatever order they came.
        let mut runs: Vec<_> = runs.collect();
        runs.sort_unstable();
        for (attempt, parent) in runs {
            senders.entry(parent).or_insert(attempt);
        }
        senders
    }

    /// PRODUCER spans carry no retry count. The message that carries the
    /// span's own context says which attempt it is, or the run below it (a task
    /// that is replaced goes on under the same id and attempt); else a retry is
    /// published from inside the run of the attempt before.
    fn attempt_of_producer(&self, producer: SpanRef<'_>, senders: &Map<SpanKey, u32>) -> u32 {
        if let Some(attempt) = senders.get(&producer.key()) {
            return *attempt;
        }
        let run = producer.trace.ancestors(producer.span).find(|above| {
            above.kind == SpanKind::Consumer && above.detail().message_id.as_deref() == Some(&self.id)
        });
        // A count from outside may be the largest that there is.
        run.map_or(0, |run| run.detail().retries.unwrap_or(0).saturating_add(1))
    }
}

/// Whether spans of one side alone were seen: of who ran it, or of who sent it.
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
    /// The instrumentor's, the first to start.
    producer: Option<SpanRef<'e>>,
    consumers: Vec<(SpanRef<'e>, JoinedBy)>,
}

//! The hand-off: the passage of one attempt of one task from the process that
//! published it to the process that ran it. The unit of diagnosis.
//!
//! A hand-off is a view, made on demand from what is filed under the task's id. Nothing is
//! decided while evidence comes in, so the order of arrival does not matter.

use std::collections::BTreeSet;

use super::presence::Presence;
use crate::evidence::Evidence;
use crate::evidence::spans::{SpanKey, SpanRef};
use crate::evidence::tasks::Delivery;
use crate::model::{Exception, Message, SpanKind, SpanStatus, TaskResult, TaskStatus, TraceId};

/// One attempt of one task, from every side that was seen.
#[derive(Debug)]
pub struct Handoff<'e> {
    pub task_id: &'e str,
    /// 0 for the first attempt.
    pub attempt: u32,
    /// The task's name; empty if nothing states it.
    pub task: &'e str,
    /// The PRODUCER span: the Celery instrumentor's, or one made by hand that names
    /// the message.
    pub producer: Option<SpanRef<'e>>,
    pub delivery: Option<&'e Delivery>,
    /// In the order of their start.
    pub consumers: Vec<SpanRef<'e>>,
    /// Hand-made consumer spans that began a trace of their own and may be this task's run.
    /// They carry no id, so this is never certain.
    pub candidate_runs: Vec<SpanRef<'e>>,
    /// The span of another trace that the run links to, if it is known: the producer, or
    /// the span that the message names.
    pub linked: Option<SpanRef<'e>>,
    /// For the last attempt only: the backend keeps one result for each task.
    pub result: Option<&'e TaskResult>,
    pub presence: Presence,
    pub joined_by: Option<JoinedBy>,
    /// Whether a later attempt was seen.
    pub was_retried: bool,
    /// Whether a part of it was let go because memory was short. Then nothing may be said
    /// about what it lacks.
    pub is_remnant: bool,
    /// How many hand-offs are like this one in everything that matters, itself included: a
    /// queue is counted, not kept.
    pub alike: u64,
}

/// What joined the two sides, the surest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum JoinedBy {
    TaskId,
    Traceparent,
    Link,
    /// The run is one of several that got the same context.
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

/// How a consumer span is connected to what was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Continuity {
    /// One trace: its parent is the producer, a context of the message, or a span above the
    /// producer. Or it is a root that links to one of these.
    Whole,
    /// It has a parent in another trace than the producer's.
    Elsewhere,
    /// A root without a link to where it was sent from.
    Orphaned,
    /// It has a parent or a link, but nothing is known of the sending side.
    Unknown,
}

impl<'e> Handoff<'e> {
    /// Whether its run may just as well belong to another message with the same context.
    /// What the run shows is then true of one of them.
    pub fn is_ambiguous(&self) -> bool {
        self.joined_by == Some(JoinedBy::Timing)
    }

    /// The PRODUCER span, if the instrumentor made it. Then Celery's own code published the
    /// message, and the instrumentor wrote what its propagators write.
    pub fn instrumented_producer(&self) -> Option<SpanRef<'e>> {
        self.producer.filter(|producer| producer.span.attributes().action.is_some())
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
        let links = consumer.span.links();
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
            // A root is one by design only if it links to where it was sent from.
            () if links.iter().any(|link| is_of(link.trace_id)) => Continuity::Whole,
            () => Continuity::Orphaned,
        }
    }

    /// The span that the run links to, among those that it may have been sent from.
    pub(super) fn link_target(&self, known: &'e Evidence) -> Option<SpanRef<'e>> {
        let consumer = self.consumer()?;
        let links = consumer.span.links();
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
            || self.presence == Presence::Gone
            || self.result.is_some_and(|result| result.status != TaskStatus::Pending)
    }

    /// Whether a worker is known to have *run* the task: it was not only taken, and neither
    /// revoked nor discarded as expired.
    pub fn was_run(&self) -> bool {
        self.was_retried
            || !self.consumers.is_empty()
            || self
                .result
                .is_some_and(|result| !matches!(result.status, TaskStatus::Pending | TaskStatus::Revoked))
    }

    /// The exception's class, if the result says that the task failed.
    pub fn failure(&self) -> Option<&'e Exception> {
        self.result.filter(|result| result.status == TaskStatus::Failure)?.exception.as_ref()
    }

    /// Whether the result says that the worker's process died under the task.
    pub fn was_killed(&self) -> bool {
        self.result.is_some_and(TaskResult::is_of_a_killed_process)
    }

    /// Whether it died because the task ran into its hard time limit.
    pub fn ran_into_its_limit(&self) -> bool {
        self.failure().is_some_and(|failure| &*failure.kind == TaskResult::OVER_ITS_LIMIT)
    }

    /// The run whose span says that it failed, with its exception, unless a result or a
    /// later attempt says otherwise.
    pub fn failed_run(&self) -> Option<(SpanRef<'e>, &'e Exception)> {
        let is_answered = self.was_retried
            || self
                .result
                .is_some_and(|result| result.status.is_final() || result.status == TaskStatus::Retry);
        let red = self.consumers.iter().filter(|consumer| {
            consumer.span.status == SpanStatus::Error && !consumer.span.attributes().will_retry
        });
        red.filter(|_| !is_answered).find_map(|consumer| {
            let exceptions = consumer.span.exceptions();
            // A run that Celery ended by `Retry`, `Ignore` or `Reject` is marked red by
            // mistake, whatever else it recorded.
            let exception =
                exceptions.first().filter(|_| !exceptions.iter().any(Exception::steers_celery))?;
            Some((*consumer, exception))
        })
    }

    /// The time from the end of the PRODUCER span (the instrumentor's, or a hand-made one
    /// that the run continues or links to) to the start of the run.
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

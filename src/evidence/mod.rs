//! What is known so far: spans, tasks, brokers, processes, and the hand-offs that
//! join them. It may not know I/O, clocks (time is an argument), or how anything is
//! encoded.
//!
//! Evidence only grows, or is let go, which leaves a mark; it draws no conclusions.
//! [`SpanIntake`] files the spans that `wire/otlp` reads, [`BrokerIntake`] what the
//! readers of brokers report.

mod age;
mod bounds;
mod broker;
mod broker_intake;
mod class_counts;
mod counts;
mod exception_kinds;
mod exports;
mod gathering;
mod group;
mod handoff;
mod invalid_spans;
mod marks;
mod names;
mod processes;
mod receiver;
mod span_intake;
mod spans;
mod tasks;
mod unit;
mod unsettled;

use std::sync::Arc;

pub use age::{Age, Moment};
pub use bounds::Bounds;
pub use broker::{Broker, Brokers, Look, RequestedQueues, Routes};
pub use broker_intake::{BrokerIntake, Keep};
pub use class_counts::{Class, ClassCounts};
pub use counts::Counts;
pub use exception_kinds::ExceptionKinds;
pub use exports::{Exports, Repeats};
pub use group::{ClosedTraces, Group};
pub use handoff::{Continuity, Handoff, JoinedBy, Presence, TaskNames};
pub use invalid_spans::InvalidSpans;
pub use names::Names;
pub use processes::{Activity, Instrumentor, Library, Process, Processes, Sender, Service};
pub use receiver::{EndedRequests, Endpoints, OtlpProtocol, Outcome, ReceiverLog};
pub use span_intake::{SpanIntake, SpanSource};
pub use spans::{Arrival, SpanAttributes, SpanKey, SpanRef, SpanShape, SpanStore, StoredSpan, Trace};
pub use tasks::{ContextKey, Continuation, Delivery, Observation, Task, Tasks};
pub use unit::Unit;
pub use unsettled::Unsettled;

use crate::model::{
    Invalid, Message, ParentOrigin, Resource, Span, SpanAccount, SpanKind, TaskResult, Timestamp,
};
use age::Ages;

/// Everything that is known.
#[derive(Default, Debug)]
pub struct Evidence {
    pub spans: SpanStore,
    pub tasks: Tasks,
    pub brokers: Brokers,
    pub(crate) processes: Processes,
    pub(crate) exports: Exports,
    receiver: ReceiverLog,
    /// Queues that were counted instead of kept.
    pub(crate) class_counts: ClassCounts,
    /// Spans that could not be kept, and spans with a flaw, by what is wrong.
    pub(crate) invalid: std::collections::BTreeMap<Invalid, InvalidSpans>,
    /// Tasks that a scheduler keeps in the broker for publishing, with the first key that
    /// shows it.
    schedule: std::collections::BTreeMap<Box<str>, Box<str>>,
    pub(crate) exception_kinds: ExceptionKinds,
    names: Names,
    ages: Ages,
    /// How long a message must be seen to wait, or to be gone, before anything is concluded
    /// from it. Zero for files that no watch left: whoever saved them has waited.
    settling_time: std::time::Duration,
    /// What had not settled when the watch ended.
    unsettled: Unsettled,
    /// Whether the messages of exceptions and statuses are kept in full. They are the
    /// application's own data, so this is off unless the user asks for it.
    shows_messages: bool,
    /// For files that memory may be too small for: the command that reads them with more.
    with_more_memory: Option<String>,
    /// Whether a part of the saved evidence is missing or cannot be read.
    has_holes: bool,
    /// Whether it is a sample: then nothing may be concluded from what all of it lacks.
    is_sample: bool,
    /// Whether its source goes on: what has not ended may still do so.
    goes_on: bool,
    /// The time that a store was asked for; `None` for other sources.
    asked: Option<(Timestamp, Timestamp)>,
    counts: Counts,
    requests: u32,
}

impl Evidence {
    /// From now on it keeps to these bounds, and everything in it stands in line to be let
    /// go. Evidence from files has no bounds.
    pub fn watch(&mut self, bounds: &Bounds) {
        self.ages.watch(bounds.marks);
        self.brokers.bound(bounds.brokers);
        self.spans.bound(bounds.one_trace);
        self.processes.bound(bounds.senders / 2);
        self.exports.bound(bounds.senders / 2);
    }

    /// Takes a span that came in the request of number `request`.
    pub fn add_span(&mut self, span: &Span<'_>, sender: &Sender, request: u32) -> Arrival {
        let process = &sender.process;
        self.counts.received_spans += 1;
        let arrival = self.spans.insert(span, process, request, &mut self.names, &mut self.ages);
        self.exports.add_span(span, sender.service, request, &arrival);
        if matches!(arrival, Arrival::Again { .. }) {
            return arrival;
        }
        // Sums include every content that came, so that the order of arrival does not
        // matter.
        if span.kind == SpanKind::Consumer {
            span.exceptions.iter().for_each(|exception| self.exception_kinds.add(&exception.kind));
        }
        self.processes.add_span(sender, span, self.ages.now);
        if let Some(flaw) = span.flaw {
            self.note_invalid(flaw, Some(&process.service), &span.name);
        }
        let key = SpanKey { trace_id: span.trace_id, span_id: span.span_id };
        match &arrival {
            Arrival::Rewritten { before: Some(before) } => self.tasks.unfile(key, before),
            Arrival::Rewritten { before: None } | Arrival::NoRoom => return arrival,
            Arrival::New | Arrival::Again { .. } => {}
        }
        match (span.kind, span.message_id.as_deref()) {
            (SpanKind::Producer, Some(id)) if span.action.is_some() || span.may_be_celery() => {
                self.tasks.add_producer(id, key, &mut self.ages);
                self.add_entry(span, key);
            }
            (SpanKind::Consumer, Some(id)) if span.action.is_some() => {
                self.tasks.add_consumer(id, key, &mut self.ages);
            }
            (SpanKind::Consumer, _) if span.may_be_celery() => self.add_hand_made_consumer(span, key),
            (SpanKind::Internal | SpanKind::Unspecified | SpanKind::Client | SpanKind::Producer, _) => {
                self.add_entry(span, key);
            }
            _ => {}
        }
        arrival
    }

    /// Notes that a part of the saved evidence is missing. Then nothing is concluded from
    /// absence, and nothing is called healthy.
    pub fn found_hole(&mut self) {
        self.has_holes = true;
        self.unsettled.doubt_all();
    }

    /// Notes that this many requests and looks were not saved.
    pub fn lost(&mut self, requests: u64) {
        self.counts.not_saved += requests;
        self.found_hole();
    }

    /// The number of a request that begins.
    pub fn next_request(&mut self) -> u32 {
        self.requests = self.requests.wrapping_add(1);
        self.requests
    }

    fn add_continuations(&mut self, span: &Span<'_>, key: SpanKey) {
        let is_inner = span.kind != SpanKind::Consumer && span.parent_origin != ParentOrigin::Remote;
        if let Some(parent) = span.parent_id.filter(|_| !is_inner) {
            let context = SpanKey { trace_id: span.trace_id, span_id: parent };
            self.tasks.add_continuation(context, key, span.start);
        }
        for link in &span.links {
            let context = SpanKey { trace_id: link.trace_id, span_id: link.span_id };
            self.tasks.add_continuation(context, key, span.start);
        }
    }

    /// A span that is no consumer by its kind, but is the first of its process in the
    /// trace, or links to another: a hand-made run often looks so.
    fn add_entry(&mut self, span: &Span<'_>, key: SpanKey) {
        if span.parent_origin == ParentOrigin::Remote || !span.links.is_empty() {
            self.add_continuations(span, key);
        }
    }

    fn add_hand_made_consumer(&mut self, span: &Span<'_>, key: SpanKey) {
        self.add_continuations(span, key);
        if let Some(id) = span.message_id.as_deref() {
            self.tasks.add_named(id, key);
        }
        if span.parent_id.is_none() {
            let name = self.names.share(&span.name);
            self.tasks.add_orphan(&name, key);
        }
    }

    /// Notes a span that could not be kept.
    pub fn add_rejected(&mut self, why: Invalid, service: Option<&str>, at: &str) {
        self.counts.received_spans += 1;
        self.counts.rejected_spans += 1;
        self.note_invalid(why, service, at);
    }

    /// What became of every span that came.
    pub const fn span_account(&self) -> SpanAccount {
        SpanAccount {
            received: self.counts.received_spans,
            held: self.spans.held_spans(),
            evicted: self.spans.let_go(),
            rejected: self.counts.rejected_spans,
            duplicates: self.spans.duplicates(),
        }
    }

    /// Notes a span that could not be kept, or has a flaw.
    fn note_invalid(&mut self, why: Invalid, service: Option<&str>, at: &str) {
        self.invalid.entry(why).or_default().add(service, at);
    }

    /// How much came, and how much was not kept.
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Whether a part of the saved evidence is missing or cannot be read.
    pub const fn has_holes(&self) -> bool {
        self.has_holes
    }

    /// Counts metric points, which are not read.
    pub const fn count_metric_points(&mut self, points: u64) {
        self.counts.metric_points += points;
    }

    /// Counts log records, which are not read.
    pub const fn count_log_records(&mut self, records: u64) {
        self.counts.log_records += records;
    }

    /// Counts traces that were let go because memory was short.
    pub const fn count_evicted_traces(&mut self, traces: u64) {
        self.counts.evicted_traces += traces;
    }

    /// The sender that a resource describes.
    pub fn sender(&mut self, resource: &Resource<'_>) -> Sender {
        self.processes.sender(resource, |service| self.exports.service(service))
    }

    /// Takes a message that lay in the broker of this name at that time.
    pub fn add_message(&mut self, message: Message, broker: &Arc<str>, at: Timestamp) {
        let observation = Observation { at, state: message.state, redelivered: message.redelivered };
        self.tasks.add_message(message, broker, observation, &mut self.ages);
    }

    /// Notes that a look no longer found the message of a task.
    pub fn message_left(&mut self, task: &str) {
        self.tasks.message_left(task, &mut self.ages);
    }

    pub fn add_result(&mut self, result: TaskResult) {
        let result = if self.shows_messages { result } else { result.redacted() };
        if let Some(exception) = &result.exception {
            self.exception_kinds.add(&exception.kind);
        }
        self.tasks.add_result(result, &mut self.ages);
    }

    /// The clock of saved evidence: the last look at a broker, or else the start of the
    /// last span. Not its end: an end that was set by hand may lie in any year.
    pub fn clock(&self) -> Timestamp {
        let look = self.brokers.last_looks().map(|look| look.at).max();
        look.unwrap_or_else(|| {
            self.processes.iter().map(|(_, activity)| activity.last_start).max().unwrap_or_default()
        })
    }

    /// The key that shows that a scheduler publishes the task.
    pub fn scheduler_entry(&self, task: &str) -> Option<&str> {
        self.schedule.get(task).map(|key| &**key)
    }
}

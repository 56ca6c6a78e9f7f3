//! What each publishing process puts into its messages.

use crate::evidence::{Evidence, SpanKey, SpanRef};
use crate::model::{Map, Message, Sampling, Set, SpanKind, TraceId};

/// What each publishing process puts into its messages.
#[derive(Default, Debug)]
pub struct Origins<'e> {
    tallies: Map<(&'e str, &'e str), MessageCounts>,
    /// By broker: messages that name no origin, such as those that a program writes by
    /// hand.
    nameless: Map<&'e str, MessageCounts>,
    /// By broker and origin: the `global_keyprefix` of its application, if the names of its
    /// queues show one.
    prefixes: Map<(&'e str, &'e str), &'e str>,
    /// Tasks, by broker and prefix, with at least one message that carries a context.
    with_context: Set<(&'e str, &'e str, &'e str)>,
    /// The origins of messages that say that beat sent them.
    beats: Set<&'e str>,
    /// By origin: how many of its messages were not seen but are known to be sampled,
    /// because the span that published them was exported.
    exported: Map<&'e str, u64>,
    /// By origin: the span that a message of its names, if one came: it is of the process
    /// that published. Of several the one with the least id, whatever came first.
    senders: Map<&'e str, SpanRef<'e>>,
    /// By origin: the trace of all its messages that count; `None` if there are several, or
    /// not all are known.
    traces: Map<&'e str, Option<TraceId>>,
}

/// The messages of one origin. Retries, and messages that a task published, do not count:
/// they come from a worker.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct MessageCounts {
    pub with_context: u64,
    pub without: u64,
    pub sampled: u64,
    pub unsampled: u64,
}

impl MessageCounts {
    fn add(&mut self, message: &Message, times: u64) {
        if message.contexts.is_empty() && message.empty_carriers.is_empty() {
            self.without += times;
        } else {
            self.with_context += times;
        }
        let mut contexts = message.contexts.iter().filter_map(|carried| carried.context());
        match contexts.next().map(|context| context.sampling) {
            Some(Sampling::Sampled) => self.sampled += times,
            Some(Sampling::NotSampled) => self.unsampled += times,
            Some(Sampling::Deferred) | None => {}
        }
    }
}

impl<'e> Origins<'e> {
    pub(super) fn of(evidence: &'e Evidence) -> Self {
        let mut origins = Self::default();
        for delivery in evidence.tasks.iter().flat_map(|task| &task.messages) {
            origins.count(&delivery.broker, &delivery.message, 1);
            if let Some(origin) = delivery.message.origin.as_deref() {
                let named = delivery.message.contexts.iter().filter_map(|carried| carried.context());
                let keys = named.map(|named| SpanKey { trace_id: named.trace_id, span_id: named.span_id });
                origins.note_sender(origin, keys.filter_map(|key| evidence.spans.get(key)));
            }
        }
        for class in evidence.class_counts.classes() {
            if let Some(example) = class.examples.first() {
                origins.count(&example.broker, &example.message, class.count);
            }
        }
        for task in evidence.tasks.iter().filter(|task| task.messages.is_empty()) {
            let producers = || task.producers.iter().filter_map(|key| evidence.spans.get(*key));
            let is_exported = producers().next().is_some();
            let runs = task.consumers.iter().filter_map(|key| evidence.spans.get(*key));
            let mut senders = runs.filter_map(|run| run.span.attributes().celery_hostname.as_deref());
            if let Some(origin) = senders.find(|sender| is_exported && is_publisher(sender)) {
                *origins.exported.entry(origin).or_default() += 1;
                origins.note_sender(origin, producers());
            }
        }
        origins
    }

    fn count(&mut self, broker: &'e str, message: &'e Message, times: u64) {
        let is_published_anew = message.retries > 0 || message.parent_id.is_some() || message.from_beat;
        let Some(origin) = message.origin.as_deref() else {
            if !is_published_anew {
                self.nameless.entry(broker).or_default().add(message, times);
            }
            return;
        };
        let prefix = self.prefixes.entry((broker, origin)).or_default();
        *prefix = (*prefix).max(prefix_of(message));
        if message.from_beat {
            self.beats.insert(origin);
        }
        if is_published_anew {
            return;
        }
        self.tallies.entry((broker, origin)).or_default().add(message, times);
        let trace = message.contexts.iter().find_map(|carried| carried.context());
        let trace = trace.map(|context| context.trace_id).filter(|_| times == 1);
        let common = self.traces.entry(origin).or_insert(trace);
        *common = common.filter(|known| Some(*known) == trace);
        if !(message.contexts.is_empty() && message.empty_carriers.is_empty()) {
            self.with_context.insert((broker, *prefix, &message.task));
        }
    }

    /// Notes a span of the process that published. One that calls another service belongs to
    /// a context that was only passed on.
    fn note_sender(&mut self, origin: &'e str, named: impl Iterator<Item = SpanRef<'e>>) {
        for found in named.filter(|found| found.span.kind != SpanKind::Client) {
            let known = self.senders.entry(origin).or_insert(found);
            if (found.trace.id, found.span.id) < (known.trace.id, known.span.id) {
                *known = found;
            }
        }
    }

    /// A span of the process of this origin, if one came that its messages name.
    pub fn sender(&self, origin: &str) -> Option<SpanRef<'e>> {
        self.senders.get(origin).copied()
    }

    pub fn tally(&self, broker: &str, origin: &str) -> MessageCounts {
        self.tallies.get(&(broker, origin)).copied().unwrap_or_default()
    }

    /// The messages of this broker that name no origin.
    pub fn nameless(&self, broker: &str) -> MessageCounts {
        self.nameless.get(broker).copied().unwrap_or_default()
    }

    /// How many messages of this origin were not seen but are known to be sampled, because
    /// their PRODUCER spans were exported.
    pub fn exported(&self, origin: &str) -> u64 {
        self.exported.get(origin).copied().unwrap_or_default()
    }

    /// Whether this origin published several messages, all in one trace, as a script does.
    /// In an API, each request has a trace of its own.
    pub fn publishes_in_one_go(&self, origin: &str) -> bool {
        let is_one = self.traces.get(origin).is_some_and(Option::is_some);
        is_one && self.of_origin(origin).is_some_and(|(_, tally)| tally.with_context > 1)
    }

    fn prefix(&self, broker: &str, origin: &str) -> &'e str {
        self.prefixes.get(&(broker, origin)).copied().unwrap_or_default()
    }

    /// Whether any process of this origin's application publishes the task with a context.
    pub fn is_sent_with_context(&self, broker: &str, origin: &str, task: &str) -> bool {
        self.with_context.contains(&(broker, self.prefix(broker, origin), task))
    }

    /// The broker where messages of this origin that count were seen, and what they hold;
    /// of several brokers the one with the most.
    pub fn of_origin(&self, origin: &str) -> Option<(&'e str, MessageCounts)> {
        let tallies = self.tallies.iter().filter(|((_, of), _)| *of == origin);
        let size = |tally: &MessageCounts| tally.with_context + tally.without;
        tallies
            .map(|((broker, _), tally)| (*broker, *tally))
            .max_by_key(|(broker, tally)| (size(tally), *broker))
    }

    /// Whether this origin is a scheduler: some of its messages were seen, and all say that
    /// beat sent them.
    pub fn is_beat(&self, origin: &str) -> bool {
        self.beats.contains(origin) && self.of_origin(origin).is_none()
    }

    /// All origins of this broker together.
    pub fn of_broker(&self, broker: &str) -> MessageCounts {
        let tallies = self.tallies.iter().filter(|((of, _), _)| *of == broker).map(|(_, tally)| *tally);
        tallies.fold(MessageCounts::default(), |all, one| MessageCounts {
            with_context: all.with_context + one.with_context,
            without: all.without + one.without,
            sampled: all.sampled + one.sampled,
            unsampled: all.unsampled + one.unsampled,
        })
    }

    /// Whether every message that carries a sampling decision says that its sender did not
    /// sample. Then no span is missing.
    pub fn are_all_unsampled(&self) -> bool {
        let all = || self.tallies.values().chain(self.nameless.values());
        all().any(|tally| tally.unsampled > 0) && all().all(|tally| tally.sampled == 0)
    }

    /// The other origins of the same application that always send context, in order. A
    /// different prefix means a different application.
    pub fn always_sending(&self, broker: &str, origin: &str) -> Vec<(&'e str, MessageCounts)> {
        let prefix = self.prefix(broker, origin);
        let is_its = |of: &str, other: &str| of == broker && self.prefix(of, other) == prefix;
        let mut always: Vec<_> = self
            .tallies
            .iter()
            .filter(|((of, other), tally)| tally.with_context > 0 && tally.without == 0 && is_its(of, other))
            .map(|((_, origin), tally)| (*origin, *tally))
            .collect();
        always.sort_unstable_by_key(|(origin, _)| *origin);
        always
    }
}

/// The `global_keyprefix` in the name of a message's queue: the part before its routing
/// key. A prefix of the broker itself is no part of the name.
fn prefix_of(message: &Message) -> &str {
    message
        .queue
        .strip_suffix(&*message.routing_key)
        .filter(|_| !message.routing_key.is_empty())
        .unwrap_or_default()
}

/// Whether a node name is that of an anonymous, publishing process, as protocol 2 sends it
/// in `origin`: `gen<pid>@<host>`. If a message has no `origin`, a run's `celery.hostname`
/// is the worker that took it.
pub fn is_publisher(node: &str) -> bool {
    node.strip_prefix("gen")
        .and_then(|rest| rest.split_once('@'))
        .is_some_and(|(pid, _)| !pid.is_empty() && pid.bytes().all(|digit| digit.is_ascii_digit()))
}

//! A task message as it lies in the broker.

use std::sync::Arc;

use super::{CarriedContext, Timestamp};

/// The Celery message protocol: <https://docs.celeryq.dev/en/stable/internals/protocol.html>.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Protocol {
    /// `headers` is `{}` and the body is an object.
    One,
    /// The task's name and id lie in `headers`.
    Two,
}

/// What the broker does with a message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum MessageState {
    /// In the list: the next free worker takes it.
    Ready,
    /// In `unacked`: a worker holds it.
    Unacked,
    /// In `unacked` with an `eta` in the future: a worker waits with it.
    Scheduled,
}

impl MessageState {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Unacked => "unacked",
            Self::Scheduled => "scheduled",
        }
    }
}

/// One message, reduced to what a diagnosis needs: bounded, without its arguments, and
/// without the values of its baggage.
///
/// Names that occur often (queue, task, origin) are shared.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Message {
    pub protocol: Protocol,
    /// `headers.task` (protocol 1: `body.task`).
    pub task: Arc<str>,
    /// `headers.id` (protocol 1: `body.id`). The join key.
    pub id: Box<str>,
    pub root_id: Option<Box<str>>,
    /// The id of the task that published this one; its own id on a retry.
    pub parent_id: Option<Box<str>>,
    pub group: Option<Box<str>>,
    /// `headers.retries`: 0 for the first attempt.
    pub retries: u32,
    /// The earliest time at which a worker may run it.
    pub eta: Option<Timestamp>,
    /// The time after which a worker throws it away.
    pub expires: Option<Timestamp>,
    /// `gen<pid>@<host>` of the process that published it.
    pub origin: Option<Arc<str>>,
    pub exchange: Arc<str>,
    pub routing_key: Arc<str>,
    /// `redelivered: true` in `headers` or in `delivery_info`.
    pub redelivered: bool,
    /// `celery_beat_task`, which beat sets since Celery 5.7, or
    /// `periodic_task_name`, which django-celery-beat always does.
    pub from_beat: bool,
    /// Whether code other than Celery's published it: it has another `lang`, or neither
    /// `lang` nor `argsrepr`.
    pub hand_made: bool,
    /// `lang`: the language of the library that published it, `py` for Celery.
    pub lang: Option<Arc<str>>,
    /// What the message lacks and Celery's worker needs.
    pub missing: MissingParts,
    /// Every context found, in the order of [`Place`](super::Place).
    pub contexts: Vec<CarriedContext>,
    /// Carriers that are there but empty.
    pub empty_carriers: Vec<EmptyCarrier>,
    /// The keys of a W3C `baggage` header. The values are private and not kept.
    pub baggage: Vec<Box<str>>,
    /// Custom header names that hold no context, 16 at most.
    pub other_headers: Vec<Box<str>>,
    /// The next task of a chain, from this message's body.
    pub chain_next: Option<NextTask>,
    /// Whether a task that Celery publishes after this one (the rest of a chain, a
    /// callback, a chord's body) has headers with a context. The publisher of this message
    /// set them.
    pub hands_on: bool,
    /// `argsrepr` and `kwargsrepr`, if the user asked to see them.
    pub args: Option<Box<str>>,
    /// Where it was seen.
    pub queue: Arc<str>,
    pub state: MessageState,
    /// The priority step of its list; lower ones are consumed first.
    pub priority: u32,
    /// The key of its list, if it has a prefix or a priority.
    pub list: Option<Arc<str>>,
    /// Its index in the list, 0 being the newest; `None` in `unacked`.
    pub index: Option<u64>,
}

/// A carrier key without content: `inject()` ran where no span was current.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct EmptyCarrier {
    /// The JSON path, such as `headers.trace_context`.
    pub at: Box<str>,
    /// What is there instead: `{}`, `"{}"`, `""`.
    pub text: Box<str>,
}

/// The task that a chain publishes after this one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct NextTask {
    pub task: Box<str>,
    /// Whether its signature carries headers that hold a context.
    pub has_context: bool,
}

/// A part of a message without which Celery's worker cannot take it from Redis. In the
/// order in which kombu and Celery read them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Part {
    /// All of `properties`.
    Properties,
    /// `properties.delivery_tag`.
    DeliveryTag,
    /// `properties.delivery_info`, its `exchange` or its `routing_key`.
    DeliveryInfo,
    /// `content-type`.
    ContentType,
    /// `properties.body_encoding`, around a body in Base64.
    BodyEncoding,
    /// `headers.id`.
    Id,
}

impl Part {
    pub const ALL: [Self; 6] = [
        Self::Properties,
        Self::DeliveryTag,
        Self::DeliveryInfo,
        Self::ContentType,
        Self::BodyEncoding,
        Self::Id,
    ];

    /// Its path in the message.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Properties => "properties",
            Self::DeliveryTag => "properties.delivery_tag",
            Self::DeliveryInfo => "properties.delivery_info",
            Self::ContentType => "content-type",
            Self::BodyEncoding => "properties.body_encoding",
            Self::Id => "headers.id",
        }
    }

    /// Whether a worker loses a message that lacks it. A message that lacks one of the
    /// others stays in the broker, and stops the worker each time that it is taken.
    pub const fn loses_the_message(self) -> bool {
        !matches!(self, Self::ContentType | Self::Id)
    }
}

/// The parts that a message lacks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct MissingParts(u8);

impl MissingParts {
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub const fn contains(self, part: Part) -> bool {
        self.0 & (1 << part as u8) != 0
    }

    /// In the order in which they are read.
    pub fn iter(self) -> impl Iterator<Item = Part> {
        Part::ALL.into_iter().filter(move |part| self.contains(*part))
    }
}

impl FromIterator<Part> for MissingParts {
    fn from_iter<I: IntoIterator<Item = Part>>(parts: I) -> Self {
        Self(parts.into_iter().fold(0, |missing, part| missing | 1 << part as u8))
    }
}

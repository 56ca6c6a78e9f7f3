//! The kombu envelope: one entry of a queue's list.
//!
//! This is the hot path of a queue of a million messages: one pass, typed and
//! borrowed, the body left as it lies.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use smallvec::SmallVec;

use super::lenient::{Key, Number, Text};
use crate::model::SpanContext;
use crate::wire::context::w3c;

/// A message, borrowed from the entry that it was read from.
#[derive(Default, Debug)]
pub struct Envelope<'a> {
    /// The body as it lies: a JSON token, mostly a string of Base64.
    pub body: Option<&'a RawValue>,
    pub content_type: Text<'a>,
    pub headers: Headers<'a>,
    pub properties: Properties<'a>,
}

/// What Celery itself writes, and all else as it lies.
#[derive(Default, Debug)]
pub struct Headers<'a> {
    pub task: Text<'a>,
    pub id: Text<'a>,
    pub root_id: Text<'a>,
    pub parent_id: Text<'a>,
    pub group: Text<'a>,
    pub origin: Text<'a>,
    pub eta: Text<'a>,
    pub expires: Text<'a>,
    pub compression: Text<'a>,
    pub retries: Number,
    pub redelivered: Number,
    pub beat: Number,
    pub has_lang: bool,
    pub args_repr: Option<&'a RawValue>,
    pub kwargs_repr: Option<&'a RawValue>,
    /// Custom headers, in their order.
    pub others: SmallVec<[(Cow<'a, str>, &'a RawValue); 4]>,
}

/// The message's properties.
#[derive(Default, Debug)]
pub struct Properties<'a> {
    pub reply_to: Text<'a>,
    pub body_encoding: Text<'a>,
    pub exchange: Text<'a>,
    pub routing_key: Text<'a>,
    /// What neither kombu nor Celery writes.
    pub others: SmallVec<[(Cow<'a, str>, &'a RawValue); 1]>,
}

/// Why an entry of a list is no Celery message. Lists of other programs lie in
/// the same database, so this is no failure.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotAMessage {
    #[error("not UTF-8 from byte {at} on")]
    NotUtf8 { at: usize },
    #[error("not JSON: {why}")]
    NotJson { why: String },
    #[error("no kombu envelope: it has neither headers nor properties")]
    NotAnEnvelope,
    #[error("a kombu envelope without a task, such as a reply of remote control")]
    NoTask,
}

impl<'a> Envelope<'a> {
    /// Reads an entry of a queue's list.
    ///
    /// # Errors
    ///
    /// [`NotAMessage`], where it is no JSON object, or none of kombu's. Whether
    /// it is a task is not known before the headers, or on protocol 1 the body,
    /// are looked at.
    pub fn decode(entry: &'a [u8]) -> Result<Self, NotAMessage> {
        let text =
            std::str::from_utf8(entry).map_err(|error| NotAMessage::NotUtf8 { at: error.valid_up_to() })?;
        let (envelope, is_kombus) = serde_json::from_str::<Found<'a>>(text)
            .map(|found| (found.envelope, found.is_kombus))
            .map_err(|error| NotAMessage::NotJson { why: error.to_string() })?;
        if is_kombus { Ok(envelope) } else { Err(NotAMessage::NotAnEnvelope) }
    }

    /// The context, where it is the only thing that a full reading would find:
    /// one valid, flat `traceparent`. Nothing is allocated.
    pub fn plain_context(&self) -> Option<SpanContext> {
        let headers = &self.headers;
        if headers.task.0.is_none()
            || headers.id.0.is_none()
            || !headers.has_lang
            || !self.properties.others.is_empty()
        {
            return None;
        }
        if headers.retries.0 != 0.0
            || headers.redelivered.is_true()
            || headers.beat.is_true()
            || headers.expires.0.is_some()
        {
            return None;
        }
        let [(name, value)] = &headers.others[..] else { return None };
        let text = value.get().strip_prefix('"')?.strip_suffix('"')?;
        if name != "traceparent" || text.contains('\\') {
            return None;
        }
        w3c::read(text).ok()
    }
}

/// An envelope, and whether kombu wrote it.
struct Found<'a> {
    envelope: Envelope<'a>,
    is_kombus: bool,
}

/// Implements `Deserialize` for a map that is read key by key.
macro_rules! read_map {
    ($type:ident, $expecting:literal, |$value:ident, $key:ident, $map:ident| $arms:expr) => {
        impl<'de> Deserialize<'de> for $type<'de> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct MapVisitor;
                impl<'de> Visitor<'de> for MapVisitor {
                    type Value = $type<'de>;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expecting)
                    }

                    fn visit_unit<E>(self) -> Result<Self::Value, E> {
                        Ok($type::default())
                    }

                    fn visit_map<A: MapAccess<'de>>(self, mut $map: A) -> Result<Self::Value, A::Error> {
                        let mut $value = $type::default();
                        while let Some(Key($key)) = $map.next_key()? {
                            $arms
                        }
                        Ok($value)
                    }
                }
                deserializer.deserialize_any(MapVisitor)
            }
        }
    };
}

impl Default for Found<'_> {
    fn default() -> Self {
        Self { envelope: Envelope::default(), is_kombus: false }
    }
}

read_map!(Found, "a kombu envelope", |found, key, map| match &*key {
    "body" => found.envelope.body = Some(map.next_value()?),
    "content-type" => found.envelope.content_type = map.next_value()?,
    "headers" => {
        found.is_kombus = true;
        found.envelope.headers = map.next_value()?;
    }
    "properties" => {
        found.is_kombus = true;
        found.envelope.properties = map.next_value()?;
    }
    _ => {
        map.next_value::<IgnoredAny>()?;
    }
});

read_map!(Headers, "the headers of a message", |headers, key, map| match &*key {
    "task" => headers.task = map.next_value()?,
    "id" => headers.id = map.next_value()?,
    "root_id" => headers.root_id = map.next_value()?,
    "parent_id" => headers.parent_id = map.next_value()?,
    "group" => headers.group = map.next_value()?,
    "origin" => headers.origin = map.next_value()?,
    "eta" => headers.eta = map.next_value()?,
    "expires" => headers.expires = map.next_value()?,
    "compression" => headers.compression = map.next_value()?,
    "retries" => headers.retries = map.next_value()?,
    "redelivered" => headers.redelivered = map.next_value()?,
    "celery_beat_task" => headers.beat = map.next_value()?,
    "lang" => {
        headers.has_lang = true;
        map.next_value::<IgnoredAny>()?;
    }
    "argsrepr" => headers.args_repr = Some(map.next_value()?),
    "kwargsrepr" => headers.kwargs_repr = Some(map.next_value()?),
    "shadow"
    | "group_index"
    | "timelimit"
    | "ignore_result"
    | "replaced_task_nesting"
    | "stamped_headers"
    | "stamps" => {
        map.next_value::<IgnoredAny>()?;
    }
    _ => headers.others.push((key, map.next_value()?)),
});

read_map!(Properties, "the properties of a message", |properties, key, map| match &*key {
    "reply_to" => properties.reply_to = map.next_value()?,
    "body_encoding" => properties.body_encoding = map.next_value()?,
    "delivery_info" => {
        let info: DeliveryInfo<'_> = map.next_value()?;
        properties.exchange = info.exchange;
        properties.routing_key = info.routing_key;
    }
    "correlation_id" | "delivery_mode" | "delivery_tag" | "priority" | "expiration" | "message_id"
    | "timestamp" | "type" | "user_id" | "app_id" | "cluster_id" | "content_type" | "content_encoding" => {
        map.next_value::<IgnoredAny>()?;
    }
    _ => properties.others.push((key, map.next_value()?)),
});

#[derive(Default)]
struct DeliveryInfo<'a> {
    exchange: Text<'a>,
    routing_key: Text<'a>,
}

read_map!(DeliveryInfo, "the delivery info of a message", |info, key, map| match &*key {
    "exchange" => info.exchange = map.next_value()?,
    "routing_key" => info.routing_key = map.next_value()?,
    _ => {
        map.next_value::<IgnoredAny>()?;
    }
});

/// The envelope in a value of `unacked`: JSON `[envelope, exchange, routing_key]`.
pub fn unacked_envelope(value: &[u8]) -> Result<&[u8], NotAMessage> {
    let text =
        std::str::from_utf8(value).map_err(|error| NotAMessage::NotUtf8 { at: error.valid_up_to() })?;
    let parts: Vec<&RawValue> =
        serde_json::from_str(text).map_err(|error| NotAMessage::NotJson { why: error.to_string() })?;
    parts.first().map(|envelope| envelope.get().as_bytes()).ok_or(NotAMessage::NotAnEnvelope)
}

//! The kombu envelope: one entry of a queue's list.
//!
//! This is the hot path for a queue of a million messages: one pass, typed and borrowed,
//! and the body stays encoded.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use smallvec::SmallVec;

use super::lenient::{Key, Number, Text};

/// A message, borrowed from the entry that it was read from.
#[derive(Default, Debug)]
pub struct Envelope<'a> {
    /// The body, still encoded: a JSON token, usually a string of Base64.
    pub body: Option<&'a RawValue>,
    pub content_type: Text<'a>,
    pub headers: Headers<'a>,
    pub properties: Properties<'a>,
    /// Whether it has headers or properties at all.
    is_kombus: bool,
    pub has_properties: bool,
}

/// What Celery itself writes; everything else is kept as raw JSON.
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
    /// The language whose library published it: `py` for Celery itself.
    pub lang: Text<'a>,
    pub args_repr: Option<&'a RawValue>,
    pub kwargs_repr: Option<&'a RawValue>,
    /// Custom headers, in their order.
    pub others: SmallVec<[(Cow<'a, str>, &'a RawValue); 4]>,
}

/// The message's properties.
#[derive(Default, Debug)]
pub struct Properties<'a> {
    pub body_encoding: Text<'a>,
    pub correlation_id: Text<'a>,
    /// `delivery_tag`, unless it is null.
    pub delivery_tag: Option<&'a RawValue>,
    /// `delivery_info`: how the message came into its queue.
    pub exchange: Text<'a>,
    pub routing_key: Text<'a>,
    pub redelivered: Number,
    /// Whether `delivery_info` has both an exchange and a routing key, even empty ones.
    pub has_delivery_info: bool,
    /// Properties that neither kombu nor Celery writes.
    pub others: SmallVec<[(Cow<'a, str>, &'a RawValue); 1]>,
}

/// Why an entry of a list is no Celery message. Other programs have lists in the same
/// database, so this is not an error.
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
    /// [`NotAMessage`], if it is no JSON object, or not one of kombu's. Only the headers
    /// (on protocol 1, the body) show whether it is a task.
    pub fn decode(entry: &'a [u8]) -> Result<Self, NotAMessage> {
        let text =
            std::str::from_utf8(entry).map_err(|error| NotAMessage::NotUtf8 { at: error.valid_up_to() })?;
        let mut envelope = Self::default();
        let mut json = serde_json::Deserializer::from_str(text);
        Fill(&mut envelope)
            .deserialize(&mut json)
            .and_then(|()| json.end())
            .map_err(|error| NotAMessage::NotJson { why: error.to_string() })?;
        if envelope.is_kombus { Ok(envelope) } else { Err(NotAMessage::NotAnEnvelope) }
    }

    /// Whether the broker delivers the message again.
    pub fn is_redelivered(&self) -> bool {
        self.headers.redelivered.is_true() || self.properties.redelivered.is_true()
    }
}

/// A value that is filled from a map, key by key. It is filled in place, since the headers
/// alone are too large to be returned five times.
struct Fill<'f, T>(&'f mut T);

/// Implements filling a type from the members of a map. Anything but a map leaves it empty.
macro_rules! fill {
    ($type:ty, |$value:ident, $key:ident, $map:ident| $arms:expr) => {
        impl<'de> DeserializeSeed<'de> for Fill<'_, $type> {
            type Value = ();

            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
                deserializer.deserialize_any(self)
            }
        }

        impl<'de> Visitor<'de> for Fill<'_, $type> {
            type Value = ();

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut $map: A) -> Result<(), A::Error> {
                let $value = self.0;
                while let Some(Key($key)) = $map.next_key()? {
                    $arms
                }
                Ok(())
            }

            fn visit_unit<E>(self) -> Result<(), E> {
                Ok(())
            }

            fn visit_bool<E>(self, _: bool) -> Result<(), E> {
                Ok(())
            }

            fn visit_i64<E>(self, _: i64) -> Result<(), E> {
                Ok(())
            }

            fn visit_u64<E>(self, _: u64) -> Result<(), E> {
                Ok(())
            }

            fn visit_f64<E>(self, _: f64) -> Result<(), E> {
                Ok(())
            }

            fn visit_str<E>(self, _: &str) -> Result<(), E> {
                Ok(())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(())
            }
        }
    };
}

fill!(Envelope<'de>, |envelope, key, map| match &*key {
    "body" => envelope.body = Some(map.next_value()?),
    "content-type" => envelope.content_type = map.next_value()?,
    "headers" => {
        envelope.is_kombus = true;
        map.next_value_seed(Fill(&mut envelope.headers))?;
    }
    "properties" => {
        envelope.is_kombus = true;
        envelope.has_properties = true;
        map.next_value_seed(Fill(&mut envelope.properties))?;
    }
    _ => {
        map.next_value::<IgnoredAny>()?;
    }
});

fill!(Headers<'de>, |headers, key, map| match &*key {
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
    "lang" => headers.lang = map.next_value()?,
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

fill!(Properties<'de>, |properties, key, map| match &*key {
    "body_encoding" => properties.body_encoding = map.next_value()?,
    "delivery_info" => {
        let mut delivery = Delivery::default();
        map.next_value_seed(Fill(&mut delivery))?;
        let Delivery { exchange, routing_key, redelivered, has_exchange, has_routing_key } = delivery;
        (properties.exchange, properties.routing_key) = (exchange, routing_key);
        properties.redelivered = redelivered;
        properties.has_delivery_info = has_exchange && has_routing_key;
    }
    "correlation_id" => properties.correlation_id = map.next_value()?,
    "delivery_tag" => {
        let tag: &RawValue = map.next_value()?;
        properties.delivery_tag = Some(tag).filter(|tag| tag.get() != "null");
    }
    "reply_to" | "delivery_mode" | "priority" | "expiration" | "message_id" | "timestamp" | "type"
    | "user_id" | "app_id" | "cluster_id" | "content_type" | "content_encoding" => {
        map.next_value::<IgnoredAny>()?;
    }
    _ => properties.others.push((key, map.next_value()?)),
});

/// `delivery_info`.
#[derive(Default)]
struct Delivery<'a> {
    exchange: Text<'a>,
    routing_key: Text<'a>,
    redelivered: Number,
    has_exchange: bool,
    has_routing_key: bool,
}

fill!(Delivery<'de>, |delivery, key, map| match &*key {
    "exchange" => {
        delivery.has_exchange = true;
        delivery.exchange = map.next_value()?;
    }
    "routing_key" => {
        delivery.has_routing_key = true;
        delivery.routing_key = map.next_value()?;
    }
    "redelivered" => delivery.redelivered = map.next_value()?,
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

//! A message, read as a whole.

use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;

use super::body::TaskBody;
use super::envelope::{Envelope, NotAMessage};
use super::result::{cut, read_time};
use super::survey::Survey;
use crate::model::{Message, MessageState, NextTask, Place, Protocol, Timestamp};

/// Where and how a message was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    pub queue: Arc<str>,
    pub state: MessageState,
    /// Its index in the list, 0 being the newest.
    pub index: Option<u64>,
}

/// What is read besides what a diagnosis needs.
#[derive(Clone, Copy, Default, Debug)]
pub struct ReadOptions {
    /// Keep `argsrepr` and `kwargsrepr`, which may hold what is private.
    pub args: bool,
}

/// The longest name that is kept of a task, an id or an origin, in bytes.
const NAME: usize = 256;
/// The longest repr of arguments that is kept, in bytes.
const REPR: usize = 1024;

/// Reads a message: its contexts wherever they lie, its names, its state.
///
/// # Errors
///
/// [`NotAMessage::NoTask`], where neither the headers nor the body name a task.
pub fn read_message(
    envelope: &Envelope<'_>,
    seen: &Seen,
    options: ReadOptions,
    share: &mut dyn FnMut(&str) -> Arc<str>,
) -> Result<Message, NotAMessage> {
    let headers = &envelope.headers;
    let (protocol, body) = match headers.task.as_deref() {
        Some(_) => (Protocol::Two, None),
        None => (Protocol::One, Some(TaskBody::of(envelope).map_err(|_| NotAMessage::NoTask)?)),
    };
    let in_body = body.as_ref().map_or(&Value::Null, |body| &body.value);
    let text_in_body = |key: &str| in_body[key].as_str().map(|text| cut(text, NAME));
    let of_header = |text: Option<&str>, key: &str| -> Option<Box<str>> {
        text.map(|text| cut(text, NAME)).or_else(|| text_in_body(key)).map(Into::into)
    };
    let task = headers.task.as_deref().or_else(|| text_in_body("task")).ok_or(NotAMessage::NoTask)?;
    let id = of_header(headers.id.as_deref(), "id").ok_or(NotAMessage::NoTask)?;

    let mut survey = Survey::default();
    let owned = parsed(&headers.others);
    survey.fields(owned.iter().map(|(name, value)| (&**name, value)), "headers", &Place::Header);
    let properties = parsed(&envelope.properties.others);
    let others = survey.others.len();
    survey.fields(properties.iter().map(|(name, value)| (&**name, value)), "properties", &Place::Property);
    survey.others.truncate(others);

    let mut chain_next = None;
    let late_body;
    let mut body = body.as_ref();
    let is_hand_carried = survey.contexts.iter().any(|found| matches!(found.place, Place::Carrier(_)));
    if !survey.has_valid() || is_hand_carried {
        if body.is_none() {
            late_body = TaskBody::of(envelope).ok();
            body = late_body.as_ref();
        }
        if let Some(body) = body {
            chain_next = body.next_in_chain().and_then(next_task);
        }
    }
    if !survey.has_valid() {
        match body {
            Some(body) => {
                survey.arguments(body.args(), "body.args");
                survey.arguments(body.kwargs(), "body.kwargs");
            }
            None => {
                for (raw, path) in
                    [(headers.args_repr, "headers.argsrepr"), (headers.kwargs_repr, "headers.kwargsrepr")]
                {
                    if let Some(repr) = raw.and_then(text_of) {
                        survey.repr(&repr, path);
                    }
                }
            }
        }
    }
    let time = |text: Option<&str>, key: &str| text.or_else(|| in_body[key].as_str()).and_then(read_time);
    let eta = time(headers.eta.as_deref(), "eta");
    Ok(Message {
        protocol,
        task: share(cut(task, NAME)),
        id,
        root_id: of_header(headers.root_id.as_deref(), "root_id"),
        parent_id: of_header(headers.parent_id.as_deref(), "parent_id"),
        group: of_header(headers.group.as_deref(), "taskset"),
        retries: match protocol {
            Protocol::Two => headers.retries.count(),
            Protocol::One => {
                in_body["retries"].as_u64().and_then(|retries| u32::try_from(retries).ok()).unwrap_or(0)
            }
        },
        eta,
        expires: time(headers.expires.as_deref(), "expires"),
        origin: headers.origin.as_deref().map(|origin| share(cut(origin, NAME))),
        reply_to: envelope.properties.reply_to.as_deref().map(|queue| cut(queue, NAME).into()),
        exchange: share(cut(envelope.properties.exchange.as_deref().unwrap_or_default(), NAME)),
        routing_key: share(cut(envelope.properties.routing_key.as_deref().unwrap_or_default(), NAME)),
        redelivered: headers.redelivered.is_true(),
        from_beat: headers.beat.is_true(),
        hand_made: protocol == Protocol::Two && headers.args_repr.is_none() && !headers.has_lang,
        published: owned.iter().find(|(name, _)| &**name == "sentry-task-enqueued-time").and_then(
            |(_, value)| value.as_f64().or_else(|| value.as_str()?.parse().ok()).map(Timestamp::from_seconds),
        ),
        contexts: survey.contexts,
        empty_carriers: survey.empty_carriers,
        baggage: survey.baggage,
        other_headers: survey.others,
        chain_next,
        args: options.args.then(|| args_of(headers.args_repr, headers.kwargs_repr)),
        state: match seen.state {
            MessageState::Unacked if eta.is_some() => MessageState::Scheduled,
            state => state,
        },
        queue: Arc::clone(&seen.queue),
        index: seen.index,
    })
}

/// Custom fields as values. One that is nested too deep for the parser holds
/// no context that a worker could read either.
fn parsed<'e>(fields: &'e [(std::borrow::Cow<'e, str>, &'e RawValue)]) -> Vec<(&'e str, Value)> {
    fields
        .iter()
        .map(|(name, raw)| (&**name, serde_json::from_str(raw.get()).unwrap_or(Value::Bool(false))))
        .collect()
}

fn text_of(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

fn args_of(args: Option<&RawValue>, kwargs: Option<&RawValue>) -> Box<str> {
    let texts: Vec<_> = [args, kwargs].into_iter().flatten().filter_map(text_of).collect();
    cut(&texts.join(" "), REPR).into()
}

/// The signature of a chain's next task.
fn next_task(signature: &Value) -> Option<NextTask> {
    let task = cut(signature["task"].as_str()?, NAME).into();
    let mut survey = Survey::default();
    if let Value::Object(headers) = &signature["options"]["headers"] {
        survey.fields(headers.iter().map(|(name, value)| (name.as_str(), value)), "headers", &Place::Header);
    }
    Some(NextTask { task, has_context: survey.has_valid() })
}

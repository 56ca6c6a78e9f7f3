//! Reads a message completely.

use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;

use super::body::TaskBody;
use super::context_search::{ContextSearch, Searched};
use super::envelope::{Envelope, Headers, NotAMessage};
use super::lenient::{scalar, text};
use super::missing::missing_parts;
use super::result::read_time;
use super::text::{NAME, cut};
use crate::model::{Message, MessageState, Part, Protocol};

/// Where in a broker a message lies.
#[derive(Clone, Debug)]
pub struct QueuePosition {
    pub queue: Arc<str>,
    pub state: MessageState,
    /// The key of its list, if that differs from the queue's name.
    pub list: Option<Arc<str>>,
    /// Its index in the list, 0 being the newest.
    pub index: Option<u64>,
    /// The priority step of the list; lower ones are consumed first.
    pub priority: u32,
}

/// What is read in addition to what a diagnosis needs.
#[derive(Clone, Copy, Default, Debug)]
pub struct ReadOptions {
    /// Keep `argsrepr` and `kwargsrepr`, which may contain private data.
    pub args: bool,
}

/// The longest repr of arguments that is kept, in bytes.
const REPR: usize = 1024;

/// Reads a message: its contexts wherever they are, its names, its state.
///
/// # Errors
///
/// [`NotAMessage::NoTask`], where neither the headers nor the body name a task.
pub fn read_message(
    envelope: &Envelope<'_>,
    position: &QueuePosition,
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
    let missing = missing_parts(envelope);
    let id = of_header(headers.id.as_deref(), "id")
        .or_else(|| missing.contains(Part::Id).then(|| stand_in(envelope)))
        .ok_or(NotAMessage::NoTask)?;

    let Searched { found, chain_next, hands_on, .. } =
        ContextSearch::default().message(envelope, body.as_ref());

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
        exchange: share(cut(envelope.properties.exchange.as_deref().unwrap_or_default(), NAME)),
        routing_key: share(cut(envelope.properties.routing_key.as_deref().unwrap_or_default(), NAME)),
        redelivered: envelope.is_redelivered(),
        // django-celery-beat names its entry, whatever Celery it runs on.
        from_beat: headers.beat.is_true()
            || headers.others.iter().any(|(name, _)| name == "periodic_task_name"),
        hand_made: protocol == Protocol::Two && !is_by_celery(headers),
        lang: headers.lang.as_deref().map(|lang| share(cut(lang, NAME))),
        missing,
        contexts: found.contexts,
        empty_carriers: found.empty_carriers,
        baggage: found.baggage,
        other_headers: found.others,
        chain_next,
        hands_on,
        args: options.args.then(|| args_of(headers.args_repr, headers.kwargs_repr)),
        state: match position.state {
            MessageState::Unacked if eta.is_some() => MessageState::Scheduled,
            state => state,
        },
        queue: Arc::clone(&position.queue),
        list: position.list.clone(),
        index: position.index,
        priority: position.priority,
    })
}

/// The id of a message that has none: made of what else its author gave it.
fn stand_in(envelope: &Envelope<'_>) -> Box<str> {
    let Envelope { headers, properties, .. } = envelope;
    let tag = properties.delivery_tag.and_then(scalar);
    let given = [properties.correlation_id.as_deref(), headers.root_id.as_deref(), tag.as_deref()];
    let given = given.into_iter().flatten().find(|text| !text.is_empty());
    cut(given.unwrap_or("(no id)"), NAME).into()
}

/// Whether Celery itself published it. Libraries in other languages name themselves. Celery
/// writes both fields; one may get lost on the way.
fn is_by_celery(headers: &Headers<'_>) -> bool {
    headers.lang.as_deref().map_or(headers.args_repr.is_some(), |lang| lang == "py")
}

fn args_of(args: Option<&RawValue>, kwargs: Option<&RawValue>) -> Box<str> {
    let texts: Vec<_> = [args, kwargs].into_iter().flatten().filter_map(text).collect();
    cut(&texts.join(" "), REPR).into()
}

#[cfg(test)]
mod tests;

//! Celery's messages and results, with each serializer and compression.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::choices::Choices;
use super::serializers::{COMPRESSIONS, SERIALIZERS, compressed, of_choice};
use super::values::Values;
use crate::model::{CarriedContext, Message, MessageState};
use crate::wire::celery::{
    Envelope, QueuePosition, ReadOptions, TaskBody, read_message, read_result, redact_message, redact_result,
    unacked_envelope,
};

/// The first byte says what the others are: a value of `unacked`, a result, the bytes of a
/// body, choices for a message to be made, or an entry of a list.
///
/// What is read of a message is bounded, and what is saved of it reads as the same message.
/// A body reads the same whatever wrote and compressed it.
pub fn celery(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else { return };
    match kind {
        b'u' => {
            if let Ok(envelope) = unacked_envelope(rest) {
                hold_entry(envelope);
            }
        }
        b'r' => hold_result(rest),
        b'b' => {
            let mut choices = Choices::by(rest);
            let ((content_type, _), compression) = of_choice(&mut choices);
            let is_to_be_compressed = choices.any();
            let body = choices.rest();
            let body = if is_to_be_compressed { compressed(compression, body) } else { body.to_vec() };
            hold_entry(message(&body, content_type, compression).to_string().as_bytes());
        }
        b'w' => hold_each_serializer(&mut Choices::by(rest)),
        _ => hold_entry(bytes),
    }
}

/// The entry of a list with a message that has this body.
pub fn message(body: &[u8], content_type: &str, compression: &str) -> Value {
    let mut message = json!({
        "body": STANDARD.encode(body), "content-type": content_type, "content-encoding": "binary",
        "headers": {"lang": "py", "task": "shop.pay", "id": "a1", "argsrepr": "()", "kwargsrepr": "{}"},
        "properties": {
            "body_encoding": "base64", "delivery_tag": "d1",
            "delivery_info": {"exchange": "", "routing_key": "celery"},
        },
    });
    if !compression.is_empty() {
        message["headers"]["compression"] = compression.into();
    }
    message
}

fn read(envelope: &Envelope<'_>, args: bool) -> Option<Message> {
    let position = QueuePosition {
        queue: "celery".into(),
        state: MessageState::Ready,
        list: None,
        index: Some(0),
        priority: 0,
    };
    read_message(envelope, &position, ReadOptions { args }, &mut |name| Arc::from(name)).ok()
}

fn hold_entry(entry: &[u8]) {
    let Ok(envelope) = Envelope::decode(entry) else { return };
    let _ = TaskBody::of(&envelope);
    let plain = envelope.plain_context();
    let Some(message) = read(&envelope, false) else { return };
    hold_bounds(&message);
    let _ = read(&envelope, true);
    if let Some(plain) = plain {
        let context = message.contexts.first().and_then(CarriedContext::context);
        assert_eq!(context, Some(&plain), "what is plain is read as such");
    }
    let saved = redact_message(entry);
    let again = Envelope::decode(&saved).ok().and_then(|envelope| read(&envelope, false));
    let [entry, saved] = [entry, &saved].map(String::from_utf8_lossy);
    assert_eq!(again.as_ref(), Some(&message), "{entry}\nsaved: {saved}");
}

fn hold_bounds(message: &Message) {
    assert!(message.contexts.len() <= 32);
    for CarriedContext { text, reading, at, .. } in &message.contexts {
        assert!(text.len() <= CarriedContext::TEXT_LIMIT, "{at}");
        let marks = reading.as_ref().err().into_iter().flat_map(|flaw| &flaw.marks);
        for mark in marks {
            assert!(text.get(mark.start..mark.end).is_some(), "{at}: {text:?} at {mark:?}");
        }
    }
    let names = [&message.other_headers, &message.baggage];
    assert!(names.iter().all(|names| names.len() <= 16 && names.iter().all(|name| name.len() <= 64)));
    assert!(message.empty_carriers.len() <= 16 && message.id.len() <= 256 && message.task.len() <= 256);
}

fn hold_result(value: &[u8]) {
    let Ok(result) = read_result("a1", value) else { return };
    let saved = redact_result(value);
    let again = read_result("a1", &saved).expect("we wrote it");
    assert_eq!(again, result.redacted(), "saved: {}", String::from_utf8_lossy(&saved));
}

fn hold_each_serializer(choices: &mut Choices<'_>) {
    let mut values = Values { text: |choices: &mut Choices<'_>| choices.text(12) };
    let next = json!({"task": "next", "options": {"headers": values.carrier(choices, 2)}});
    let chain = if choices.one_in(2) { json!([next]) } else { json!(null) };
    let embed = json!({"callbacks": null, "errbacks": null, "chain": chain, "chord": null});
    let body = json!([values.list(choices, 4), values.mapping(choices, 4), embed]);
    let others = values.carrier(choices, 3);
    let compression = choices.one_of(&COMPRESSIONS[..5]);
    let mut first = None;
    for (content_type, write) in SERIALIZERS {
        let mut message = message(&compressed(compression, &write(&body)), content_type, compression);
        let headers = message["headers"].as_object_mut().expect("an object");
        headers.extend(others.clone());
        let entry = message.to_string();
        let envelope = Envelope::decode(entry.as_bytes()).expect("a message");
        let read_body = TaskBody::of(&envelope).expect("it was just written").value;
        assert_eq!(read_body, body, "{content_type} {compression}");
        let read = read(&envelope, false).expect("a message");
        match &first {
            Some(first) => assert_eq!(first, &read, "{content_type} {compression}"),
            // What is saved of it does not depend on the serializer.
            None => hold_entry(entry.as_bytes()),
        }
        first.get_or_insert(read);
    }
}

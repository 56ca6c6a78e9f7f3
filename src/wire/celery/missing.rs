//! The parts without which Celery's worker cannot take a message from Redis.
//!
//! kombu requires parts of an envelope that hand-written programs leave out
//! (`kombu/transport/virtual/base.py`, `kombu/transport/redis.py`,
//! `celery/worker/request.py`). Measured with Celery 5.7.0 (kombu 5.7.0) and 5.2.7 (kombu
//! 5.2.4); the sources of 4.4 require the same. These may be missing: `correlation_id`,
//! `reply_to`, `delivery_mode`, `priority`, `content-encoding`, and all headers but `task`
//! and `id`.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::de::IgnoredAny;

use super::envelope::Envelope;
use super::lenient;
use crate::model::{MissingParts, Part};

/// The parts that a message lacks.
pub fn missing_parts(envelope: &Envelope<'_>) -> MissingParts {
    let Envelope { headers, properties, .. } = envelope;
    let is_protocol_2 = headers.task.0.is_some();
    let is_text_given = |text: Option<&str>| text.is_some_and(|text| !text.is_empty());
    let parts = [
        (Part::Properties, !envelope.has_properties),
        (Part::DeliveryTag, envelope.has_properties && properties.delivery_tag.is_none()),
        (Part::DeliveryInfo, envelope.has_properties && !properties.has_delivery_info),
        (Part::ContentType, !is_text_given(envelope.content_type.as_deref())),
        (Part::BodyEncoding, is_base64_untold(envelope)),
        (Part::Id, is_protocol_2 && headers.id.0.is_none()),
    ];
    parts.into_iter().filter(|(_, is_missing)| *is_missing).map(|(part, _)| part).collect()
}

/// Whether the body is Base64 and no field says so. kombu then takes it for plain text.
fn is_base64_untold(envelope: &Envelope<'_>) -> bool {
    let told = envelope.properties.body_encoding.as_deref().unwrap_or_default();
    if !told.is_empty() && !told.eq_ignore_ascii_case("utf-8") {
        return false;
    }
    let Some(body) = envelope.body.and_then(lenient::text) else { return false };
    let is_of_base64 =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'\r' | b'\n');
    let Some(start) = body.get(..4).and_then(|start| BASE64_STANDARD.decode(start).ok()) else {
        return false;
    };
    // JSON, YAML, pickle, MessagePack of a list or of an object; or anything at all.
    let is_a_body = matches!(start.first(), Some(b'[' | b'{' | b'-' | 0x80..=0x9f | 0xdc..=0xdf))
        || envelope.headers.compression.0.is_some();
    // `null` and numbers have the letters of Base64 too.
    let is_json = || serde_json::from_str::<IgnoredAny>(&body).is_ok();
    is_a_body && body.bytes().all(is_of_base64) && !is_json()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn whole() -> Value {
        json!({
            "body": "W1tdLCB7fSwge31d", "content-type": "application/json", "content-encoding": "utf-8",
            "headers": {"task": "work", "id": "1"},
            "properties": {
                "delivery_info": {"exchange": "", "routing_key": "celery"}, "delivery_tag": "2",
                "body_encoding": "base64",
            },
        })
    }

    type Change = fn(&mut Value);

    fn missing(message: &Value) -> Vec<Part> {
        let text = message.to_string();
        missing_parts(&Envelope::decode(text.as_bytes()).expect("an envelope")).iter().collect()
    }

    #[test]
    fn each_part_is_missed_by_itself() {
        assert_eq!(missing(&whole()), []);
        let changes: [(Change, Part); 12] = [
            (|message| drop(message.as_object_mut().unwrap().remove("properties")), Part::Properties),
            (|message| message["properties"]["delivery_tag"] = Value::Null, Part::DeliveryTag),
            (|message| remove(&mut message["properties"], "delivery_tag"), Part::DeliveryTag),
            (|message| remove(&mut message["properties"], "delivery_info"), Part::DeliveryInfo),
            (|message| message["properties"]["delivery_info"] = Value::Null, Part::DeliveryInfo),
            (|message| remove(&mut message["properties"]["delivery_info"], "exchange"), Part::DeliveryInfo),
            (
                |message| remove(&mut message["properties"]["delivery_info"], "routing_key"),
                Part::DeliveryInfo,
            ),
            (|message| remove(message, "content-type"), Part::ContentType),
            (|message| message["content-type"] = Value::Null, Part::ContentType),
            (|message| remove(&mut message["properties"], "body_encoding"), Part::BodyEncoding),
            (|message| message["properties"]["body_encoding"] = "utf-8".into(), Part::BodyEncoding),
            (|message| remove(&mut message["headers"], "id"), Part::Id),
        ];
        for (change, part) in changes {
            let mut message = whole();
            change(&mut message);
            let expected = match part {
                // Without properties, nothing says that it is Base64 either.
                Part::Properties => vec![part, Part::BodyEncoding],
                part => vec![part],
            };
            assert_eq!(missing(&message), expected, "{message}");
        }
    }

    #[test]
    fn what_is_written_as_text_needs_no_word_for_it() {
        for body in ["null", "3456", "[[], {}, {}]", "{\"task\": \"work\"}", "- []\n- {}\n- {}\n", "", "abc"]
        {
            let mut message = whole();
            message["body"] = body.into();
            remove(&mut message["properties"], "body_encoding");
            assert_eq!(missing(&message), [], "{body}");
        }
        // An empty exchange is fine, and so is a tag that is a number.
        let mut message = whole();
        message["properties"]["delivery_tag"] = 7.into();
        message["properties"]["delivery_info"] = json!({"exchange": null, "routing_key": null});
        assert_eq!(missing(&message), []);
    }

    fn remove(object: &mut Value, key: &str) {
        object.as_object_mut().expect("an object").remove(key);
    }
}

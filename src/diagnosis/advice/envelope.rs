//! What a message needs around its headers: where a program writes it by hand.

use crate::diagnosis::known::SdkSetup;
use crate::model::{Fix, FixPlace, Language, MissingParts, Part, Side};

/// Mends TL209. Of what a program writes only the headers are at hand: an id can be
/// pasted, and the rest is said in words.
pub fn with(missing: MissingParts, producer: &SdkSetup) -> Vec<Fix> {
    let fix = Fix::new("write the message as Celery does");
    let fix = missing.iter().fold(fix, |fix, part| match (part, producer.language.code()) {
        (Part::Id, Some(Language::Python)) => fix.python(Side::Producer, FixPlace::Publish, ID),
        (Part::Id, Some(Language::JavaScript)) => {
            let line = "headers.id = require('node:crypto').randomUUID();";
            fix.javascript(Side::Producer, FixPlace::Publish, [line])
        }
        (part, _) => fix.by_hand(Side::Producer, words(part)),
    });
    vec![fix]
}

const ID: [&str; 3] = ["from uuid import uuid4", "", "headers[\"id\"] = str(uuid4())"];

const fn words(part: Part) -> &'static str {
    match part {
        Part::Properties => {
            "write `properties` with a delivery_tag (another UUID for each message), with delivery_info (an object with exchange and routing_key: an empty text and the name of the queue), and with body_encoding base64 where the body is in Base64"
        }
        Part::DeliveryTag => "write properties.delivery_tag, another UUID for each message",
        Part::DeliveryInfo => {
            "write properties.delivery_info, an object with exchange (an empty text) and routing_key (the name of the queue)"
        }
        Part::ContentType => "write content-type, application/json, beside body and headers",
        Part::BodyEncoding => "write properties.body_encoding, base64, where the body is in Base64",
        Part::Id => "write headers.id, another UUID for each task, beside headers.task",
    }
}

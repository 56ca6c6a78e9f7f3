//! What a message needs around its headers: where a program writes it by hand.

use crate::model::{MissingParts, Part};

/// Mends TL209: where the message is written.
pub fn with(missing: MissingParts) -> Vec<&'static str> {
    missing.iter().map(part).collect()
}

const fn part(part: Part) -> &'static str {
    match part {
        Part::Properties => {
            "\"properties\": {\"delivery_tag\": \"<uuid>\", \"delivery_info\": {\"exchange\": \"\", \"routing_key\": \"<queue>\"}, \"body_encoding\": \"base64\"}"
        }
        Part::DeliveryTag => {
            "\"delivery_tag\": \"<uuid>\"      # in properties, another one for each message"
        }
        Part::DeliveryInfo => {
            "\"delivery_info\": {\"exchange\": \"\", \"routing_key\": \"<queue>\"}      # in properties"
        }
        Part::ContentType => "\"content-type\": \"application/json\"      # beside body and headers",
        Part::BodyEncoding => "\"body_encoding\": \"base64\"      # in properties",
        Part::Id => "\"id\": \"<uuid>\"      # in headers, beside task",
    }
}

use super::readable::{is_readable, unread_message};
use crate::diagnosis::advice::carrier;
use crate::diagnosis::advice::carrier_shape::CarrierShape;
use crate::diagnosis::known::Sides;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::evidence::Handoff;
use crate::model::{CarriedContext, Encoding, Exception, Place, Protocol, Station};

diagnosis! {
    /// ## What it means
    /// The carrier is there, and is written in a way that its reader cannot
    /// parse: JSON inside JSON, the `str()` of a dict, bytes, or an object
    /// where the reader takes a string.
    ///
    /// ## What shows it
    /// The carrier's characters themselves. An object is a fault only where the
    /// task is seen to fail over it (`the JSON object must be str, bytes or
    /// bytearray, not dict`): a reader that takes a dict is right too.
    ///
    /// ## How to fix it
    /// Encode the carrier once: `json.dumps(carrier)` for a reader that calls
    /// `json.loads`. Or drop the wrapping, and have the task read flat headers.
    pub static CARRIER_ENCODING = {
        code: "TL205",
        slug: "carrier-encoding",
        station: Some(Station::Carry),
        severity: Error,
        summary: "the carrier is written in a way that its reader cannot parse",
        fixes: || {
            let carried = CarrierShape::Json("trace_context".to_owned());
            carrier::under_key(&carried, &Sides::of_celery())
        },
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, _: &Known<'_>) -> Judgment {
    let Some(message) = unread_message(handoff) else { return Judgment::Clean };
    // On protocol 1 another shape does not help, unless a task fails on this one.
    if message.protocol == Protocol::One && handoff.failure().is_none() {
        return Judgment::Clean;
    }
    // A reader of another, plain form of it is not affected by this one.
    let has_plain =
        message.contexts.iter().any(|found| is_readable(found) && fault_of(found, None).is_none());
    let fault = message
        .contexts
        .iter()
        .filter(|found| matches!(found.place, Place::Carrier(_) | Place::Header | Place::NestedHeaders))
        .find_map(|found| Some((found, fault_of(found, handoff.failure())?)));
    let Some((carried, (variant, says))) = fault else { return Judgment::Clean };
    if has_plain && handoff.failure().is_none_or(|failure| !is_reading_failure(failure)) {
        return Judgment::Clean;
    }
    Occurrence::certain()
        .about(handoff)
        .variant(variant)
        .says(says)
        .quote(quote::context(message, carried))
        .quote(handoff.result.filter(|_| handoff.failure().is_some()).map(quote::result))
        .mend(carrier::encoded_once(carried, &Sides::of(handoff)))
        .into()
}

/// What is wrong with the encoding of a carrier, if anything.
fn fault_of(carried: &CarriedContext, failure: Option<&Exception>) -> Option<(&'static str, &'static str)> {
    match carried.encoding {
        Encoding::JsonInJson => Some((
            "json-in-json",
            "the carrier is JSON inside JSON: one json.loads gives a string, not a dict",
        )),
        Encoding::PythonRepr => {
            Some(("python-repr", "the carrier is the str() of a Python dict, which is not JSON"))
        }
        Encoding::Bytes if carried.place == Place::Header => {
            Some(("bytes", "the context is written as bytes, where its reader takes a string"))
        }
        Encoding::Object if failure.is_some_and(takes_no_object) => Some((
            "object",
            "the carrier is an object, and its reader calls json.loads, which takes a string",
        )),
        _ => None,
    }
}

/// Whether a task failed because it could not parse its carrier.
fn is_reading_failure(failure: &Exception) -> bool {
    takes_no_object(failure) || &*failure.kind == "JSONDecodeError"
}

/// What `json.loads` raises for a dict. Text that is no JSON is another matter.
fn takes_no_object(failure: &Exception) -> bool {
    &*failure.kind == "TypeError" && failure.message.contains(Exception::JSON_MUST_BE)
}

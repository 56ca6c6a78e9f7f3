//! What a search notes.

use serde_json::Value;

use super::ContextSearch;
use crate::model::{CarriedContext, ContextFormat, EmptyCarrier, Encoding, Flaw, Mark, Place, SpanContext};
use crate::wire::celery::carrier::Found;
use crate::wire::celery::json_path::JsonPath;
use crate::wire::celery::text::cut;
use crate::wire::context::baggage;

impl ContextSearch {
    pub(super) fn note_context(
        &mut self,
        found: &Found<'_>,
        path: &JsonPath<'_>,
        place: &Place,
        encoding: Encoding,
    ) {
        // Among an application's own values, `b3` may be the cell of a table.
        let is_ambiguous = found.format == ContextFormat::B3 && *place != Place::Header;
        if found.reading.is_err() && is_ambiguous {
            return;
        }
        // Python's headers are a dict: a name in another case is not found.
        let is_misnamed = *place == Place::Header && !found.has_right_case;
        let place = if is_misnamed { Place::HeaderInOtherCase } else { place.clone() };
        let encoding = if found.is_bytes { Encoding::Bytes } else { encoding };
        // Elastic's own agent reads its `traceparent` where it wrote it.
        let is_elastics = found.format == ContextFormat::Elastic && path.ends_with("elasticapm");
        let place = if is_elastics { Place::Header } else { place };
        self.push(&path.key(found.key), place, encoding, found.format, found.text, found.reading.clone());
    }

    /// Returns whether there was room for it.
    pub(super) fn push(
        &mut self,
        path: &JsonPath<'_>,
        place: Place,
        encoding: Encoding,
        format: ContextFormat,
        text: &str,
        reading: Result<SpanContext, Flaw>,
    ) -> bool {
        if self.contexts.len() >= Self::CONTEXTS {
            return false;
        }
        let text = cut(text, CarriedContext::TEXT_LIMIT);
        let within = |mark: Mark| Mark { start: mark.start.min(text.len()), end: mark.end.min(text.len()) };
        let reading =
            reading.map_err(|flaw| Flaw { marks: flaw.marks.into_iter().map(within).collect(), ..flaw });
        let at = path.to_string().into();
        self.contexts.push(CarriedContext { at, place, encoding, format, text: text.into(), reading });
        true
    }

    /// Notes a carrier that is empty. Returns whether it is one, and there was room for it.
    pub(super) fn note_if_empty(&mut self, name: &str, value: &Value, path: &JsonPath<'_>) -> bool {
        let (is_empty, is_blank) = match value {
            Value::Object(map) => (map.is_empty(), false),
            Value::Array(list) => (list.is_empty(), false),
            Value::String(text) => match text.trim() {
                "" | "null" => (true, true),
                text => (matches!(text, "{}" | "\"{}\""), false),
            },
            Value::Null | Value::Bool(_) | Value::Number(_) => (false, false),
        };
        let is_carrier = is_empty && is_carriers_name(name, is_blank);
        is_carrier && self.note_empty(path, value)
    }

    pub(super) fn note_empty(&mut self, path: &JsonPath<'_>, value: &Value) -> bool {
        let has_room = self.empty_carriers.len() < Self::NAMES;
        if has_room {
            let text = cut(&value.to_string(), Self::NAME).into();
            self.empty_carriers.push(EmptyCarrier { at: path.to_string().into(), text });
        }
        has_room
    }

    pub(super) fn note_other(&mut self, name: &str) {
        if self.others.len() < Self::NAMES {
            self.others.push(cut(name, Self::NAME).into());
        }
    }

    /// Notes the keys of a `baggage` header. Its values are private.
    pub(super) fn note_baggage(&mut self, text: &str) {
        for key in baggage::keys(text) {
            // Sentry's own entries reveal nothing about the application.
            if !key.starts_with("sentry-") && self.baggage.len() < Self::NAMES {
                self.baggage.push(cut(key, Self::NAME).into());
            }
        }
    }
}

/// Whether the name of something empty shows that it is a carrier. Conservative: a
/// `trace_id`, a `context` or the `carrier` of a parcel may mean something else to the
/// application.
fn is_carriers_name(name: &str, is_blank: bool) -> bool {
    const SUBJECTS: [&str; 6] = ["trace", "tracing", "span", "otel", "telemetry", "propagat"];
    const VESSELS: [&str; 5] = ["context", "ctx", "carrier", "header", "parent"];
    const BOTH: [&str; 5] = ["carrier", "propagation", "otel", "opentelemetry", "trace"];

    let name = name.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let is_compound = has(&SUBJECTS) && has(&VESSELS) && !name.ends_with("id");
    is_compound || (!is_blank && BOTH.contains(&&*name))
}

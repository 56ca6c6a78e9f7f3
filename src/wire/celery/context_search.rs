//! Where in a message a trace context is, in all the places and wrappings that applications
//! use.

use serde_json::{Map, Value};

use super::carrier::{Carrier, Found};
use super::json_path::JsonPath;
use super::text::cut;
use super::wrapping::{bytes_of, python_dict, unwrapped};
use crate::model::{CarriedContext, ContextFormat, EmptyCarrier, Encoding, Flaw, Mark, Place, SpanContext};
use crate::wire::context::{baggage, ids, w3c};

/// A search for trace context in a message, and what it has found so far.
#[derive(Debug)]
pub struct ContextSearch {
    pub contexts: Vec<CarriedContext>,
    pub empty_carriers: Vec<EmptyCarrier>,
    pub baggage: Vec<Box<str>>,
    /// Names that hold no context.
    pub others: Vec<Box<str>>,
    /// How many values may still be looked at.
    budget: usize,
}

impl Default for ContextSearch {
    fn default() -> Self {
        Self {
            contexts: Vec::new(),
            empty_carriers: Vec::new(),
            baggage: Vec::new(),
            others: Vec::new(),
            budget: Self::VALUES,
        }
    }
}

impl ContextSearch {
    /// How many contexts are kept of one message.
    const CONTEXTS: usize = 32;
    /// How many names of other headers, baggage entries and empty carriers are kept.
    const NAMES: usize = 16;
    /// The longest of these that is kept, in bytes.
    const NAME: usize = 64;
    /// How many values within headers and arguments are looked at.
    const VALUES: usize = 10_000;
    /// How many members of a mapping are looked at for a pair of ids.
    pub const MEMBERS: usize = 128;
    /// How many carriers within carriers are looked into: `headers.headers.trace_context`.
    const WRAPPINGS: usize = 3;
    /// How many levels of arguments are looked through for a carrier.
    const ARGUMENTS: usize = 6;
    /// The shortest text that may be a carrier, `{"b3":"0"}`, in bytes.
    const SHORTEST: usize = 10;
    /// The longest, in bytes: one with 8 KiB of baggage, and its escapes.
    const LONGEST: usize = 64 << 10;

    /// Whether there is a valid context that OpenTelemetry reads. If there is only a
    /// vendor's own, the search goes on.
    pub fn has_open(&self) -> bool {
        self.contexts.iter().any(|carried| carried.reading.is_ok() && !carried.format.is_vendor())
    }

    pub fn has_valid(&self) -> bool {
        self.contexts.iter().any(|carried| carried.reading.is_ok())
    }

    /// Whether a context is in a carrier of the application's own.
    pub fn is_hand_carried(&self) -> bool {
        self.contexts.iter().any(|carried| matches!(carried.place, Place::Carrier(_)))
    }

    /// Sorts the contexts by their places.
    pub fn sort(&mut self) {
        self.contexts.sort_by_key(|carried| match carried.place {
            Place::Header => 0,
            Place::HeaderInOtherCase => 1,
            Place::NestedHeaders => 2,
            Place::Carrier(_) => 3,
            Place::Property => 4,
            Place::Body => 5,
        });
    }

    /// Searches custom headers. Each may be a context under its own name, or a carrier of
    /// several.
    pub fn headers<'v>(&mut self, headers: impl Iterator<Item = (&'v str, &'v Value)> + Clone) {
        let path = JsonPath::root("headers");
        let flat = self.flat(headers.clone(), &path, &Place::Header);
        if let Some(baggage) = flat.baggage() {
            self.note_baggage(baggage);
        }
        if let Some(key) = flat.empty_key() {
            self.note_empty(&path.key(key), &Value::String(String::new()));
        } else if self.contexts.is_empty() {
            flat.keys().filter(|key| *key != "baggage").for_each(|key| self.note_other(key));
        }
        for (name, value) in headers {
            let is_context_or_carrier =
                !value.is_null() && (Carrier::knows(name) || self.header(name, value, &path));
            if !is_context_or_carrier {
                self.note_other(name);
            }
        }
    }

    /// Searches a header of the application's own. Returns whether it is a carrier.
    fn header(&mut self, name: &str, value: &Value, path: &JsonPath<'_>) -> bool {
        let found = (self.contexts.len(), self.empty_carriers.len());
        let path = path.key(name);
        let place = match name {
            "headers" => Place::NestedHeaders,
            _ => Place::Carrier(cut(name, Self::NAME).into()),
        };
        self.search(value, &path, &place, Encoding::Flat, Self::WRAPPINGS);
        match value {
            Value::Object(nested) if place == Place::NestedHeaders => {
                for (name, value) in nested {
                    self.note_if_empty(name, value, &path.key(name));
                }
            }
            _ => self.note_if_empty(name, value, &path),
        }
        found != (self.contexts.len(), self.empty_carriers.len())
    }

    /// Searches properties that are not kombu's own.
    pub fn properties<'v>(&mut self, properties: impl Iterator<Item = (&'v str, &'v Value)> + Clone) {
        let path = JsonPath::root("properties");
        self.flat(properties.clone(), &path, &Place::Property);
        for (name, value) in properties.filter(|(name, _)| !Carrier::knows(name)) {
            self.search(value, &path.key(name), &Place::Property, Encoding::Flat, Self::WRAPPINGS);
        }
    }

    /// Searches the arguments called `name`, `args` or `kwargs`.
    pub fn arguments(&mut self, arguments: &Value, name: &str) {
        let path = JsonPath::root("body");
        let path = path.key(name);
        match arguments {
            Value::Array(list) => {
                self.neighbours(list, &path, &Place::Body);
                for (index, value) in list.iter().enumerate() {
                    self.search(value, &path.index(index), &Place::Body, Encoding::Flat, Self::ARGUMENTS);
                }
            }
            other => self.search(other, &path, &Place::Body, Encoding::Flat, Self::ARGUMENTS),
        }
    }

    /// Searches the repr of arguments in the header `name`, for a body that cannot be read.
    pub fn repr(&mut self, repr: &str, name: &str) {
        let path = JsonPath::root("headers");
        let dict = python_dict(repr);
        let encoding = Encoding::PythonRepr;
        self.mapping(entries(&dict), &path.key(name), &Place::Body, encoding, Self::WRAPPINGS);
    }

    /// Reads the contexts that are flat among `entries`.
    fn flat<'v>(
        &mut self,
        entries: impl Iterator<Item = (&'v str, &'v Value)> + Clone,
        path: &JsonPath<'_>,
        place: &Place,
    ) -> Carrier<'v> {
        let mut carrier = Carrier::default();
        for (key, value) in entries.clone() {
            carrier.put(key, value);
        }
        for found in carrier.contexts() {
            self.note_context(&found, path, place, Encoding::Flat);
        }
        self.ids(entries, path, place, Encoding::Flat);
        carrier
    }

    /// Searches a value for carriers, however it is wrapped. `outer` is the wrapping of
    /// what contains it, and `depth` how many levels are left.
    fn search(&mut self, value: &Value, path: &JsonPath<'_>, place: &Place, outer: Encoding, depth: usize) {
        if self.budget == 0 {
            return;
        }
        self.budget -= 1;
        match value {
            Value::Object(map) => match bytes_of(map) {
                Some(text) => self.text(text, path, place, Encoding::Bytes, depth),
                None => {
                    // Nested headers are a mapping of headers, as flat ones are.
                    let is_plain = outer == Encoding::Flat && *place != Place::NestedHeaders;
                    let encoding = if is_plain { Encoding::Object } else { outer };
                    self.mapping(entries(map), path, place, encoding, depth);
                }
            },
            Value::String(text) => self.text(text, path, place, outer, depth),
            Value::Array(list) => self.list(list, path, place, depth),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// A list of pairs is a mapping to Python's `dict`.
    fn list(&mut self, list: &[Value], path: &JsonPath<'_>, place: &Place, depth: usize) {
        let pair = |item: &'_ Value| match item.as_array()?.as_slice() {
            [Value::String(key), value] => Some((key.clone(), value.clone())),
            _ => None,
        };
        if let Some(pairs) = list.iter().take(self.budget).map(pair).collect::<Option<Map<_, _>>>() {
            return self.mapping(entries(&pairs), path, place, Encoding::Other, depth);
        }
        let Some(depth) = depth.checked_sub(1) else { return };
        self.neighbours(list, path, place);
        for (index, value) in list.iter().enumerate() {
            self.search(value, &path.index(index), place, Encoding::Other, depth);
        }
    }

    /// Notes a trace id and a span id that follow each other in a list.
    fn neighbours(&mut self, list: &[Value], path: &JsonPath<'_>, place: &Place) {
        let pairs = list.windows(2).take(self.budget).enumerate();
        let found = pairs.filter_map(|(index, pair)| Some((index, pair, ids::of_two(&pair[0], &pair[1])?)));
        for (index, pair, context) in found {
            let text = format!("{}, {}", plain(&pair[0]), plain(&pair[1]));
            self.push(
                &path.index(index),
                place.clone(),
                Encoding::Other,
                ContextFormat::Ids,
                &text,
                Ok(context),
            );
        }
    }

    /// Notes a trace id and a span id under names of the application's own.
    fn ids<'v>(
        &mut self,
        entries: impl Iterator<Item = (&'v str, &'v Value)> + Clone,
        path: &JsonPath<'_>,
        place: &Place,
        encoding: Encoding,
    ) {
        let own = entries.filter(|(key, _)| !Carrier::knows(key)).take(self.budget.min(Self::MEMBERS));
        let Some(pair) = ids::of_mapping(own.clone()) else { return };
        let text_of = |key: &str| own.clone().find(|(name, _)| *name == key).map(|(_, value)| plain(value));
        let (Some(trace), Some(span)) = (text_of(pair.trace), text_of(pair.span)) else { return };
        let text = format!("{trace}, {}: {span}", pair.span);
        self.push(
            &path.key(pair.trace),
            place.clone(),
            encoding,
            ContextFormat::Ids,
            &text,
            Ok(pair.context),
        );
    }

    fn mapping<'v>(
        &mut self,
        entries: impl Iterator<Item = (&'v str, &'v Value)> + Clone,
        path: &JsonPath<'_>,
        place: &Place,
        encoding: Encoding,
        depth: usize,
    ) {
        let mut carrier = Carrier::default();
        for (key, value) in entries.clone().take(self.budget) {
            carrier.put(key, value);
        }
        for found in carrier.contexts() {
            self.note_context(&found, path, place, encoding);
        }
        self.ids(entries.clone(), path, place, encoding);
        let Some(depth) = depth.checked_sub(1) else { return };
        for (key, value) in entries.filter(|(key, _)| !Carrier::knows(key)) {
            self.search(value, &path.key(key), place, encoding, depth);
        }
    }

    /// A text that is a context itself, or in which a carrier is wrapped.
    fn text(&mut self, text: &str, path: &JsonPath<'_>, place: &Place, outer: Encoding, depth: usize) {
        if !(Self::SHORTEST..=Self::LONGEST).contains(&text.len()) {
            return;
        }
        if let Some((wrapping, value)) = unwrapped(text.trim()) {
            let encoding = if outer == Encoding::Bytes { outer } else { wrapping };
            if let Some(depth) = depth.checked_sub(1) {
                self.search(&value, path, place, encoding, depth);
            }
        } else if let Ok(context) = w3c::read(text) {
            // A `traceparent` under a name of the application's own.
            self.push(path, place.clone(), outer, ContextFormat::W3c, text, Ok(context));
        } else if let Some(context) = ids::of_text(text) {
            self.push(path, place.clone(), outer, ContextFormat::Ids, text, Ok(context));
        }
    }

    fn note_context(&mut self, found: &Found<'_>, path: &JsonPath<'_>, place: &Place, encoding: Encoding) {
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

    fn push(
        &mut self,
        path: &JsonPath<'_>,
        place: Place,
        encoding: Encoding,
        format: ContextFormat,
        text: &str,
        reading: Result<SpanContext, Flaw>,
    ) {
        if self.contexts.len() >= Self::CONTEXTS {
            return;
        }
        let text = cut(text, CarriedContext::TEXT_LIMIT);
        let within = |mark: Mark| Mark { start: mark.start.min(text.len()), end: mark.end.min(text.len()) };
        let reading =
            reading.map_err(|flaw| Flaw { marks: flaw.marks.into_iter().map(within).collect(), ..flaw });
        let at = path.to_string().into();
        self.contexts.push(CarriedContext { at, place, encoding, format, text: text.into(), reading });
    }

    fn note_if_empty(&mut self, name: &str, value: &Value, path: &JsonPath<'_>) {
        let (is_empty, is_blank) = match value {
            Value::Object(map) => (map.is_empty(), false),
            Value::Array(list) => (list.is_empty(), false),
            Value::String(text) => match text.trim() {
                "" | "null" => (true, true),
                text => (matches!(text, "{}" | "\"{}\""), false),
            },
            Value::Null | Value::Bool(_) | Value::Number(_) => (false, false),
        };
        if is_empty && is_carriers_name(name, is_blank) {
            self.note_empty(path, value);
        }
    }

    fn note_empty(&mut self, path: &JsonPath<'_>, value: &Value) {
        if self.empty_carriers.len() < Self::NAMES {
            let text = cut(&value.to_string(), Self::NAME).into();
            self.empty_carriers.push(EmptyCarrier { at: path.to_string().into(), text });
        }
    }

    fn note_other(&mut self, name: &str) {
        if self.others.len() < Self::NAMES {
            self.others.push(cut(name, Self::NAME).into());
        }
    }

    /// Notes the keys of a `baggage` header. Its values are private.
    fn note_baggage(&mut self, text: &str) {
        for key in baggage::keys(text) {
            // Sentry's own entries reveal nothing about the application.
            if !key.starts_with("sentry-") && self.baggage.len() < Self::NAMES {
                self.baggage.push(cut(key, Self::NAME).into());
            }
        }
    }
}

/// A text or a number as it is written.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The members of an object.
fn entries(map: &Map<String, Value>) -> impl Iterator<Item = (&str, &Value)> + Clone {
    map.iter().map(|(key, value)| (key.as_str(), value))
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

#[cfg(test)]
mod tests;

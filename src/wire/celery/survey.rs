//! Where in a message trace context lies, in all the places and wrappings in
//! which applications put it.

use std::borrow::Cow;

use serde_json::Value;

use super::result::cut;
use crate::model::{EmptyCarrier, Encoding, Flaw, FlawKind, Format, Mark, Place, Sighting, SpanContext};
use crate::wire::context::{Reading, b3, datadog, jaeger, sentry, w3c, xray};

/// What a survey of a message finds.
#[derive(Default, Debug)]
pub struct Survey {
    pub contexts: Vec<Sighting>,
    pub empty_carriers: Vec<EmptyCarrier>,
    pub baggage: Vec<Box<str>>,
    /// Names that hold no context.
    pub others: Vec<Box<str>>,
}

impl Survey {
    /// How many contexts are kept of one message.
    const CONTEXTS: usize = 32;
    /// How many names of other headers and baggage entries are kept.
    const NAMES: usize = 16;
    /// How many carriers within carriers are looked into: `headers.headers.trace_context`.
    const WRAPPINGS: usize = 3;
    /// How many levels of arguments are looked through for a carrier.
    const DEPTH: usize = 6;
    /// How many values of the arguments are looked at.
    const VALUES: usize = 10_000;

    pub fn has_valid(&self) -> bool {
        self.contexts.iter().any(|sighting| sighting.reading.is_ok())
    }

    /// Looks through custom headers or properties, each of which may be a
    /// context by its own name or a carrier of several.
    pub fn fields<'v>(
        &mut self,
        fields: impl Iterator<Item = (&'v str, &'v Value)>,
        path: &str,
        place: &Place,
    ) {
        let mut bag = Bag::default();
        let mut carriers = Vec::new();
        for (name, value) in fields {
            if value.is_null() {
                // An absent header, forwarded: no context, and none that is malformed.
                self.note_other(name);
                continue;
            }
            match Name::of(name) {
                Some(known) => bag.put(known, name, value),
                None => carriers.push((name, value)),
            }
        }
        let found = self.empty(&bag, path);
        bag.read(path, place, Encoding::Flat, &mut self.contexts);
        if let Some(text) = bag.text(Name::Baggage) {
            self.note_baggage(text);
        }
        for (name, value) in carriers {
            if !self.carrier(name, value, path, place) && !found {
                self.note_other(name);
            }
        }
        self.contexts.truncate(Self::CONTEXTS);
    }

    /// A context's own name with nothing under it.
    fn empty(&mut self, bag: &Bag<'_>, path: &str) -> bool {
        let empty = bag.entries.iter().find(|entry| entry.name == Name::Traceparent && entry.text.is_empty());
        if let Some(entry) = empty {
            self.empty_carriers
                .push(EmptyCarrier { at: format!("{path}.{}", entry.key).into(), text: "\"\"".into() });
        }
        empty.is_some()
    }

    /// Looks into a value that may be a carrier; whether it was one.
    fn carrier(&mut self, name: &str, value: &Value, path: &str, place: &Place) -> bool {
        let at = format!("{path}.{}", cut(name, 64));
        let place = match place {
            Place::Header if name == "headers" => Place::NestedHeaders,
            Place::Header | Place::HeaderInOtherCase => Place::Carrier(cut(name, 64).into()),
            other => other.clone(),
        };
        let before = self.contexts.len();
        self.unwrap(value, &at, &place, Self::WRAPPINGS);
        if self.contexts.len() > before {
            return true;
        }
        let is_empty = match value {
            Value::Object(map) => map.is_empty(),
            Value::Array(list) => list.is_empty(),
            Value::String(text) => matches!(text.trim(), "" | "{}" | "\"{}\"" | "null"),
            _ => false,
        };
        if is_empty && is_carriers_name(name) && matches!(place, Place::Carrier(_) | Place::NestedHeaders) {
            self.empty_carriers.push(EmptyCarrier { at: at.into(), text: value.to_string().into() });
            return true;
        }
        false
    }

    /// Looks into a carrier, however it is wrapped. `depth` is how many
    /// carriers within it are still looked into.
    fn unwrap(&mut self, value: &Value, at: &str, place: &Place, depth: usize) {
        match value {
            Value::Object(map) => match bytes_of(value) {
                Some(text) => self.unwrap_text(text, at, place, Encoding::Bytes, depth),
                None => {
                    let is_flat = *place == Place::NestedHeaders;
                    let encoding = if is_flat { Encoding::Flat } else { Encoding::Object };
                    self.map(entries(map), at, place, encoding, depth);
                }
            },
            Value::String(text) => self.unwrap_text(text, at, place, Encoding::Flat, depth),
            Value::Array(list) => {
                let pairs = list.iter().filter_map(|pair| match pair.as_array()?.as_slice() {
                    [Value::String(key), value] => Some((key.as_str(), value)),
                    _ => None,
                });
                self.map(pairs, at, place, Encoding::Other, depth);
            }
            _ => {}
        }
    }

    /// A text that is a context itself, or in which a carrier is wrapped.
    fn unwrap_text(&mut self, text: &str, at: &str, place: &Place, outer: Encoding, depth: usize) {
        let trimmed = text.trim();
        if !trimmed.starts_with(['{', '"']) {
            // A `traceparent` under a name of the application's own.
            if let Ok(context) = w3c::read(text) {
                self.contexts.push(sighting(at, place, outer, Format::W3c, text, Ok(context)));
            }
            return;
        }
        match serde_json::from_str(trimmed) {
            Ok(Value::Object(map)) => {
                let encoding = if outer == Encoding::Flat { Encoding::JsonText } else { outer };
                self.map(entries(&map), at, place, encoding, depth);
            }
            Ok(Value::String(inner)) => {
                if let Ok(Value::Object(map)) = serde_json::from_str(inner.trim()) {
                    self.map(entries(&map), at, place, Encoding::JsonInJson, depth);
                }
            }
            _ => {
                let pairs = python_repr(trimmed);
                let pairs = pairs.iter().map(|(key, value)| (&**key, value));
                self.map(pairs, at, place, Encoding::PythonRepr, depth);
            }
        }
    }

    fn map<'v>(
        &mut self,
        entries: impl Iterator<Item = (&'v str, &'v Value)>,
        at: &str,
        place: &Place,
        encoding: Encoding,
        depth: usize,
    ) {
        let mut bag = Bag::default();
        let mut inner = Vec::new();
        for (key, value) in entries.take(Self::VALUES) {
            match Name::of(key) {
                Some(known) => bag.put(known, key, value),
                None if key == "trace_parent_string" && at.ends_with("elasticapm") => self.elastic(value, at),
                None => inner.push((key, value)),
            }
        }
        bag.read(at, place, encoding, &mut self.contexts);
        let Some(depth) = depth.checked_sub(1) else { return };
        for (key, value) in inner {
            let may_carry = match value {
                Value::Object(_) => true,
                Value::String(text) => text.len() >= MIN_CARRIER && text.len() <= MAX_CARRIER,
                _ => false,
            };
            if may_carry && self.contexts.len() < Self::CONTEXTS {
                self.unwrap(value, &format!("{at}.{}", cut(key, 64)), place, depth);
            }
        }
    }

    fn elastic(&mut self, value: &Value, at: &str) {
        let Some(text) = value.as_str() else { return };
        let at = format!("{at}.trace_parent_string");
        let reading = w3c::read(text);
        self.contexts.push(sighting(&at, &Place::Header, Encoding::Object, Format::Elastic, text, reading));
    }

    /// Looks through arguments for a carrier, or a context's own name.
    pub fn arguments(&mut self, value: &Value, path: &str) {
        let mut budget = Self::VALUES;
        self.argument(value, path, 0, &mut budget);
        self.contexts.truncate(Self::CONTEXTS);
    }

    fn argument(&mut self, value: &Value, path: &str, depth: usize, budget: &mut usize) {
        if depth > Self::DEPTH || *budget == 0 || self.contexts.len() >= Self::CONTEXTS {
            return;
        }
        *budget -= 1;
        match value {
            Value::Object(map) => {
                let before = self.contexts.len();
                self.map(entries(map), path, &Place::Body, Encoding::Object, 0);
                if self.contexts.len() == before {
                    for (key, value) in map {
                        self.argument(value, &format!("{path}.{}", cut(key, 64)), depth + 1, budget);
                    }
                }
            }
            Value::Array(list) => {
                for (index, value) in list.iter().enumerate() {
                    self.argument(value, &format!("{path}[{index}]"), depth + 1, budget);
                }
            }
            Value::String(text) if text.len() >= MIN_CARRIER && text.len() <= MAX_CARRIER => {
                self.unwrap_text(text, path, &Place::Body, Encoding::Flat, 0);
            }
            _ => {}
        }
    }

    /// Looks for a `traceparent` in the repr of arguments, for a body that
    /// cannot be read.
    pub fn repr(&mut self, repr: &str, path: &str) {
        let pairs = python_repr(repr);
        let pairs = pairs.iter().map(|(key, value)| (&**key, value));
        self.map(pairs, path, &Place::Body, Encoding::PythonRepr, 0);
    }

    fn note_other(&mut self, name: &str) {
        if self.others.len() < Self::NAMES {
            self.others.push(cut(name, 64).into());
        }
    }

    fn note_baggage(&mut self, text: &str) {
        let keys = text.split(',').filter_map(|entry| entry.split('=').next());
        for key in keys.map(str::trim).filter(|key| !key.is_empty()) {
            // Sentry's own entries are no secret of the application's.
            if !key.starts_with("sentry-") && self.baggage.len() < Self::NAMES {
                self.baggage.push(cut(key, 64).into());
            }
        }
    }
}

/// The members of an object.
fn entries(map: &serde_json::Map<String, Value>) -> impl Iterator<Item = (&str, &Value)> {
    map.iter().map(|(key, value)| (key.as_str(), value))
}

/// The shortest text worth a look for a carrier: `{"b3":"0"}`.
const MIN_CARRIER: usize = 10;
/// The longest: a carrier with baggage has 8 KiB at most, and escapes.
const MAX_CARRIER: usize = 64 << 10;

/// Whether a header's name says that it is a carrier. Conservative: an empty
/// `meta` or `context` of an application is its own affair.
fn is_carriers_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["trace", "carrier", "otel", "opentelemetry", "telemetry", "propagat", "span_context", "spancontext"]
        .iter()
        .any(|word| name.contains(word))
}

/// The text of kombu's wrapper for bytes: `{"__type__": "bytes", "__value__": "…"}`.
fn bytes_of(value: &Value) -> Option<&str> {
    let kind = value.get("__type__")?.as_str()?;
    (kind == "bytes").then(|| value.get("__value__")?.as_str()).flatten()
}

/// The `'key': 'value'` pairs in the repr of a Python dict, as far as they are texts.
fn python_repr(text: &str) -> Vec<(Cow<'_, str>, Value)> {
    const PAIRS: usize = 64;
    let mut pairs = Vec::new();
    // Every second part between quotes is a text; a key is followed by a colon.
    let mut parts = text.split('\'').skip(1).step_by(2).zip(text.split('\'').skip(2).step_by(2));
    while let Some((key, after)) = parts.next() {
        if pairs.len() >= PAIRS {
            break;
        }
        if after.trim() == ":"
            && let Some((value, _)) = parts.next()
        {
            pairs.push((Cow::Borrowed(key), Value::from(value)));
        }
    }
    pairs
}

/// The names under which contexts travel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Name {
    Traceparent,
    Tracestate,
    Baggage,
    B3,
    B3TraceId,
    B3SpanId,
    B3Sampled,
    B3Flags,
    B3ParentSpanId,
    Uber,
    DatadogTraceId,
    DatadogParentId,
    DatadogPriority,
    DatadogTags,
    XRay,
    Sentry,
    Elastic,
}

impl Name {
    /// The name's meaning, whatever its case.
    fn of(name: &str) -> Option<Self> {
        const LONGEST: usize = 27;
        if name.len() > LONGEST {
            return None;
        }
        Some(match &*name.to_ascii_lowercase() {
            "traceparent" => Self::Traceparent,
            "tracestate" => Self::Tracestate,
            "baggage" => Self::Baggage,
            "b3" => Self::B3,
            "x-b3-traceid" => Self::B3TraceId,
            "x-b3-spanid" => Self::B3SpanId,
            "x-b3-sampled" => Self::B3Sampled,
            "x-b3-flags" => Self::B3Flags,
            "x-b3-parentspanid" => Self::B3ParentSpanId,
            "uber-trace-id" => Self::Uber,
            "x-datadog-trace-id" => Self::DatadogTraceId,
            "x-datadog-parent-id" => Self::DatadogParentId,
            "x-datadog-sampling-priority" => Self::DatadogPriority,
            "x-datadog-tags" => Self::DatadogTags,
            "x-amzn-trace-id" => Self::XRay,
            "sentry-trace" => Self::Sentry,
            "elastic-apm-traceparent" => Self::Elastic,
            _ => return None,
        })
    }
}

/// The contexts of one carrier, by name.
#[derive(Default)]
struct Bag<'v> {
    entries: Vec<Entry<'v>>,
}

struct Entry<'v> {
    name: Name,
    key: &'v str,
    text: Cow<'v, str>,
    encoding: Option<Encoding>,
    is_text: bool,
}

impl<'v> Bag<'v> {
    fn put(&mut self, name: Name, key: &'v str, value: &'v Value) {
        let (text, encoding, is_text) = match (value, bytes_of(value)) {
            (_, Some(text)) => (Cow::Borrowed(text), Some(Encoding::Bytes), true),
            (Value::String(text), _) => (Cow::Borrowed(text.as_str()), None, true),
            // Datadog's ids may be numbers; elsewhere a number is a fault.
            (Value::Number(number), _) => (Cow::Owned(number.to_string()), None, false),
            (Value::Null, _) => return,
            (other, _) => (Cow::Owned(other.to_string()), None, false),
        };
        self.entries.push(Entry { name, key, text, encoding, is_text });
    }

    fn entry(&self, name: Name) -> Option<&Entry<'v>> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    fn text(&self, name: Name) -> Option<&str> {
        self.entry(name).map(|entry| &*entry.text)
    }

    fn read(&self, path: &str, place: &Place, encoding: Encoding, contexts: &mut Vec<Sighting>) {
        for entry in &self.entries {
            let text = &*entry.text;
            let (format, reading): (_, Reading) = match entry.name {
                Name::Traceparent if text.is_empty() => continue,
                Name::Traceparent => (Format::W3c, w3c::read(text).map(Some)),
                Name::B3 => (Format::B3, b3::read_single(text)),
                Name::B3TraceId => (Format::B3Multi, b3::read_multi(self.b3())),
                Name::Uber => (Format::Jaeger, jaeger::read(text).map(Some)),
                Name::DatadogTraceId => (Format::Datadog, datadog::read(self.datadog())),
                Name::XRay => (Format::XRay, xray::read(text).map(Some)),
                Name::Sentry => (Format::Sentry, sentry::read(text).map(Some)),
                Name::Elastic => (Format::Elastic, w3c::read(text).map(Some)),
                Name::Tracestate
                | Name::Baggage
                | Name::B3SpanId
                | Name::B3Sampled
                | Name::B3Flags
                | Name::B3ParentSpanId
                | Name::DatadogParentId
                | Name::DatadogPriority
                | Name::DatadogTags => continue,
            };
            let reading = match reading {
                Ok(None) => continue,
                Ok(Some(_)) if !entry.is_text && format != Format::Datadog => {
                    Err(Flaw { kind: FlawKind::NotText, marks: vec![Mark { start: 0, end: text.len() }] })
                }
                Ok(Some(context)) => Ok(context),
                Err(flaw) if entry.is_text => Err(flaw),
                Err(_) => {
                    Err(Flaw { kind: FlawKind::NotText, marks: vec![Mark { start: 0, end: text.len() }] })
                }
            };
            // Python's headers are a dict: a name in another case is not found.
            let is_misnamed =
                *place == Place::Header && entry.key.bytes().any(|byte| byte.is_ascii_uppercase());
            let place = if is_misnamed { &Place::HeaderInOtherCase } else { place };
            let at = format!("{path}.{}", entry.key);
            contexts.push(sighting(&at, place, entry.encoding.unwrap_or(encoding), format, text, reading));
        }
    }

    fn b3(&self) -> b3::Multi<'_> {
        b3::Multi {
            trace_id: self.text(Name::B3TraceId),
            span_id: self.text(Name::B3SpanId),
            sampled: self.text(Name::B3Sampled),
            flags: self.text(Name::B3Flags),
        }
    }

    fn datadog(&self) -> datadog::Headers<'_> {
        datadog::Headers {
            trace_id: self.text(Name::DatadogTraceId),
            parent_id: self.text(Name::DatadogParentId),
            priority: self.text(Name::DatadogPriority),
            tags: self.text(Name::DatadogTags),
        }
    }
}

fn sighting(
    at: &str,
    place: &Place,
    encoding: Encoding,
    format: Format,
    text: &str,
    reading: Result<SpanContext, Flaw>,
) -> Sighting {
    let text = cut(text, Sighting::TEXT_LIMIT);
    let reading = reading.map_err(|mut flaw| {
        for mark in &mut flaw.marks {
            mark.start = mark.start.min(text.len());
            mark.end = mark.end.min(text.len());
        }
        flaw
    });
    Sighting { at: at.into(), place: place.clone(), encoding, format, text: text.into(), reading }
}

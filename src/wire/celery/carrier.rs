//! A carrier: the entries of a mapping whose names propagators know, and the contexts that
//! they form.

use std::borrow::Cow;
use std::mem;

use serde_json::Value;
use smallvec::SmallVec;

use super::field::Field;
use super::wrapping::bytes_of;
use crate::model::{ContextFormat, Flaw, FlawKind, Mark, SpanContext};
use crate::wire::context::{Reading, b3, datadog, jaeger, ot_trace, sentry, w3c, xray};

/// The entries of a carrier that have a propagator's name.
#[derive(Default, Debug)]
pub struct Carrier<'v> {
    entries: SmallVec<[Entry<'v>; 4]>,
}

#[derive(Debug)]
struct Entry<'v> {
    field: Field,
    key: &'v str,
    has_right_case: bool,
    text: Cow<'v, str>,
    spelling: Spelling,
}

/// How a value is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Spelling {
    Text,
    /// kombu's wrapper for bytes, which a propagator does not accept as a text.
    Bytes,
    /// An array of several texts.
    Several,
    NotText,
}

/// A context in a carrier.
#[derive(Debug)]
pub struct Found<'c> {
    pub key: &'c str,
    pub format: ContextFormat,
    pub text: &'c str,
    pub reading: Result<SpanContext, Flaw>,
    /// Whether a Python dict finds it under the name that its propagator asks for.
    pub has_right_case: bool,
    pub is_bytes: bool,
}

impl<'v> Carrier<'v> {
    /// How many entries are kept: each name in a few cases.
    const ENTRIES: usize = 64;

    /// Whether a key is a propagator's name, in any case.
    pub fn knows(key: &str) -> bool {
        Field::of(key).is_some()
    }

    /// Takes an entry if it has a propagator's name. Returns whether it has. A null is
    /// taken and ignored: it is an absent header that was forwarded.
    pub fn put(&mut self, key: &'v str, value: &'v Value) -> bool {
        let Some((field, has_right_case)) = Field::of(key) else { return false };
        // The last of equal keys wins, as in Python's json.
        self.entries.retain(|entry| entry.key != key);
        if !value.is_null() && self.entries.len() < Self::ENTRIES {
            let (text, spelling) = spell(field, value);
            self.entries.push(Entry { field, key, has_right_case, text, spelling });
        }
        true
    }

    /// The contexts, in the order in which their first entries were added.
    pub fn contexts(&self) -> impl Iterator<Item = Found<'_>> {
        self.entries.iter().filter_map(|entry| self.context(entry))
    }

    fn context<'c>(&'c self, entry: &'c Entry<'v>) -> Option<Found<'c>> {
        let format = entry.field.format()?;
        let text = &*entry.text;
        let reading = match entry.spelling {
            Spelling::Text | Spelling::Bytes if text.is_empty() => return None,
            Spelling::Text | Spelling::Bytes => self.read(format, text).transpose()?,
            Spelling::Several => Err(flawed(FlawKind::Doubled, text)),
            Spelling::NotText => Err(flawed(FlawKind::NotText, text)),
        };
        let has_misnamed_half = format == ContextFormat::B3Multi && self.is_misnamed(Field::B3SpanId);
        Some(Found {
            key: entry.key,
            format,
            text,
            reading,
            has_right_case: entry.has_right_case && !has_misnamed_half,
            is_bytes: entry.spelling == Spelling::Bytes,
        })
    }

    fn read(&self, format: ContextFormat, text: &str) -> Reading {
        match format {
            ContextFormat::W3c | ContextFormat::Elastic => w3c::read(text).map(Some),
            ContextFormat::B3 => b3::read_single(text),
            ContextFormat::B3Multi => b3::read_multi(b3::Multi {
                trace_id: Some(text),
                span_id: self.text(Field::B3SpanId),
                sampled: self.text(Field::B3Sampled),
                flags: self.text(Field::B3Flags),
            }),
            ContextFormat::Jaeger => jaeger::read(text).map(Some),
            ContextFormat::OtTrace => ot_trace::read(ot_trace::Headers {
                trace_id: text,
                span_id: self.text(Field::OtSpanId),
                sampled: self.text(Field::OtSampled),
            }),
            ContextFormat::Datadog => datadog::read(datadog::Headers {
                trace_id: Some(text),
                parent_id: self.text(Field::DatadogParentId),
                priority: self.text(Field::DatadogPriority),
                tags: self.text(Field::DatadogTags),
            }),
            ContextFormat::XRay => xray::read(text).map(Some),
            ContextFormat::Sentry => sentry::read(text).map(Some),
            // No propagator's field holds these.
            ContextFormat::Ids => Ok(None),
        }
    }

    /// The text of a companion, if there is one and it is not empty. What is no text is told
    /// as it is written, which its format refuses.
    fn text(&self, field: Field) -> Option<&str> {
        let has_one = |entry: &&Entry<'_>| {
            entry.field == field && entry.spelling != Spelling::Several && !entry.text.is_empty()
        };
        self.entries.iter().find(has_one).map(|entry| &*entry.text)
    }

    /// Whether a field is there, but only in a case that no propagator looks for.
    fn is_misnamed(&self, field: Field) -> bool {
        let mut entries = self.entries.iter().filter(|entry| entry.field == field).peekable();
        entries.peek().is_some() && entries.all(|entry| !entry.has_right_case)
    }

    /// The value of `baggage`.
    pub fn baggage(&self) -> Option<&str> {
        let is_text = |entry: &&Entry<'_>| {
            entry.field == Field::Baggage && matches!(entry.spelling, Spelling::Text | Spelling::Bytes)
        };
        self.entries.iter().find(is_text).map(|entry| &*entry.text)
    }

    /// The keys, in the order in which they were added.
    pub fn keys(&self) -> impl Iterator<Item = &'v str> {
        self.entries.iter().map(|entry| entry.key)
    }

    /// The key of a context that an OpenTelemetry propagator would read, if its text is
    /// empty.
    pub fn empty_key(&self) -> Option<&'v str> {
        let is_empty = |entry: &&Entry<'_>| {
            entry.text.is_empty() && entry.field.format().is_some_and(|format| !format.is_vendor())
        };
        self.entries.iter().find(is_empty).map(|entry| entry.key)
    }
}

fn flawed(kind: FlawKind, text: &str) -> Flaw {
    Flaw { kind, marks: vec![Mark { start: 0, end: text.len() }] }
}

/// How a value reads. A text is borrowed, as it is what nearly every carrier has.
fn spell(field: Field, value: &Value) -> (Cow<'_, str>, Spelling) {
    match value {
        Value::String(text) if field != Field::XRay => return (text.into(), Spelling::Text),
        // Datadog's ids are numbers. In other formats a number is a flaw.
        Value::Number(number)
            if matches!(field, Field::DatadogTraceId | Field::DatadogParentId | Field::DatadogPriority) =>
        {
            return (number.to_string().into(), Spelling::Text);
        }
        _ => {}
    }
    let (text, spelling) = match field.redacted(value) {
        Value::String(text) => (text, Spelling::Text),
        // The instrumentor's getter takes the first of a list.
        Value::Array(mut list) => match &mut list[..] {
            [Value::String(text)] => (mem::take(text), Spelling::Text),
            [Value::String(_), Value::String(_), ..] => (Value::from(list).to_string(), Spelling::Several),
            _ => (Value::from(list).to_string(), Spelling::NotText),
        },
        Value::Object(map) => match bytes_of(&map) {
            Some(text) => (text.to_owned(), Spelling::Bytes),
            None => (Value::from(map).to_string(), Spelling::NotText),
        },
        other => (other.to_string(), Spelling::NotText),
    };
    (text.into(), spelling)
}

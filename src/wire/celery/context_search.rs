//! Where in a message a trace context is, in all the places and wrappings that applications
//! use.
//!
//! What may be saved of a message is built by the same search, so that what is saved reads as
//! the message itself does.

mod kept;
mod notes;
mod whole;

use serde_json::{Map, Value, json};

pub use self::kept::Kept;
pub use self::whole::Searched;

use super::carrier::Carrier;
use super::field::Field;
use super::json_path::JsonPath;
use super::text::cut;
use super::wrapping::{bytes_of, python_dict, unwrapped};
use crate::model::{CarriedContext, ContextFormat, EmptyCarrier, Encoding, HIDDEN, Place};
use crate::wire::context::ids::{self, Pair};
use crate::wire::context::w3c;

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
    /// Whether what may be saved is built.
    keeps: bool,
}

impl Default for ContextSearch {
    fn default() -> Self {
        Self {
            contexts: Vec::new(),
            empty_carriers: Vec::new(),
            baggage: Vec::new(),
            others: Vec::new(),
            budget: Self::VALUES,
            keeps: false,
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

    /// A search that builds what may be saved of what it looks at.
    pub fn keeping() -> Self {
        Self { keeps: true, ..Self::default() }
    }

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
    /// several. Returns what is kept of them: every name, as that of a header without a
    /// context is evidence too.
    pub fn headers<'v>(
        &mut self,
        headers: impl Iterator<Item = (&'v str, &'v Value)> + Clone,
    ) -> Vec<(String, Value)> {
        let path = JsonPath::root("headers");
        let (flat, own_ids) = self.flat(headers.clone(), &path, &Place::Header);
        if let Some(baggage) = flat.baggage() {
            self.note_baggage(baggage);
        }
        if let Some(key) = flat.empty_key() {
            self.note_empty(&path.key(key), &Value::String(String::new()));
        } else if self.contexts.is_empty() {
            flat.keys().filter(|key| *key != "baggage").for_each(|key| self.note_other(key));
        }
        let mut all = Vec::new();
        for (name, value) in headers {
            let is_known = Carrier::knows(name);
            let (is_carrier, found) =
                if is_known || value.is_null() { (is_known, None) } else { self.header(name, value, &path) };
            if value.is_null() || !is_carrier {
                self.note_other(name);
            }
            self.keep(&mut all, own_ids.as_ref(), (name, value), found);
        }
        all
    }

    /// Searches a header of the application's own. Returns whether it is a carrier.
    fn header(&mut self, name: &str, value: &Value, path: &JsonPath<'_>) -> (bool, Kept) {
        let before = (self.contexts.len(), self.empty_carriers.len());
        let path = path.key(name);
        let place = match name {
            "headers" => Place::NestedHeaders,
            _ => Place::Carrier(cut(name, Self::NAME).into()),
        };
        let mut found = self.search(value, &path, &place, Encoding::Flat, Self::WRAPPINGS);
        match value {
            Value::Object(nested) if place == Place::NestedHeaders => {
                for (name, value) in nested {
                    if self.note_if_empty(name, value, &path.key(name))
                        && self.keeps
                        && let Value::Object(all) = found.get_or_insert_with(|| json!({}))
                    {
                        all.insert(name.clone(), value.clone());
                    }
                }
            }
            _ => {
                if self.note_if_empty(name, value, &path) && self.keeps {
                    found = Some(value.clone());
                }
            }
        }
        (before != (self.contexts.len(), self.empty_carriers.len()), found)
    }

    /// Searches properties that are not kombu's own. Returns what is kept of them.
    pub fn properties<'v>(
        &mut self,
        properties: impl Iterator<Item = (&'v str, &'v Value)> + Clone,
    ) -> Vec<(String, Value)> {
        let path = JsonPath::root("properties");
        let (_, own_ids) = self.flat(properties.clone(), &path, &Place::Property);
        let mut all = Vec::new();
        for (name, value) in properties {
            let found = if Carrier::knows(name) {
                None
            } else {
                self.search(value, &path.key(name), &Place::Property, Encoding::Flat, Self::WRAPPINGS)
            };
            self.keep(&mut all, own_ids.as_ref(), (name, value), found);
        }
        all
    }

    /// Keeps a header or a property, whatever was found in it.
    fn keep(
        &self,
        all: &mut Vec<(String, Value)>,
        own_ids: Option<&Pair<'_>>,
        (name, value): (&str, &Value),
        found: Kept,
    ) {
        if self.keeps {
            let kept = match Field::of(name) {
                Some((field, _)) => field.redacted(value),
                None => kept::member(own_ids, name, value, found).unwrap_or_else(|| HIDDEN.into()),
            };
            all.push((name.to_owned(), kept));
        }
    }

    /// Searches the arguments called `name`, `args` or `kwargs`.
    pub fn arguments(&mut self, arguments: &Value, name: &str) -> Kept {
        let path = JsonPath::root("body");
        let path = path.key(name);
        match arguments {
            Value::Array(list) => self.elements(list, &path, &Place::Body, Encoding::Flat, Self::ARGUMENTS),
            other => self.search(other, &path, &Place::Body, Encoding::Flat, Self::ARGUMENTS),
        }
    }

    /// Searches the repr of arguments in the header `name`, for a body that cannot be read.
    pub fn repr(&mut self, repr: &str, name: &str) -> Option<String> {
        let path = JsonPath::root("headers");
        let dict = python_dict(repr);
        let encoding = Encoding::PythonRepr;
        let found = self.mapping(entries(&dict), &path.key(name), &Place::Body, encoding, Self::WRAPPINGS);
        kept::repr_text(&found?)
    }

    /// Reads the contexts that are flat among `entries`.
    fn flat<'v>(
        &mut self,
        entries: impl Iterator<Item = (&'v str, &'v Value)> + Clone,
        path: &JsonPath<'_>,
        place: &Place,
    ) -> (Carrier<'v>, Option<Pair<'v>>) {
        let mut carrier = Carrier::default();
        for (key, value) in entries.clone() {
            carrier.put(key, value);
        }
        for found in carrier.contexts() {
            self.note_context(&found, path, place, Encoding::Flat);
        }
        let own_ids = self.ids(entries, path, place, Encoding::Flat);
        (carrier, own_ids)
    }

    /// Searches a value for carriers, however it is wrapped. `outer` is the wrapping of
    /// what contains it, and `depth` how many levels are left.
    fn search(
        &mut self,
        value: &Value,
        path: &JsonPath<'_>,
        place: &Place,
        outer: Encoding,
        depth: usize,
    ) -> Kept {
        self.budget = self.budget.checked_sub(1)?;
        match value {
            Value::Object(map) => match bytes_of(map) {
                Some(text) => {
                    let text = self.text(text, path, place, Encoding::Bytes, depth)?;
                    Some(json!({"__type__": "bytes", "__value__": text}))
                }
                None => {
                    // Nested headers are a mapping of headers, as flat ones are.
                    let is_plain = outer == Encoding::Flat && *place != Place::NestedHeaders;
                    let encoding = if is_plain { Encoding::Object } else { outer };
                    self.mapping(entries(map), path, place, encoding, depth).map(Value::Object)
                }
            },
            Value::String(text) => self.text(text, path, place, outer, depth).map(Value::String),
            Value::Array(list) => self.list(list, path, place, depth),
            Value::Null | Value::Bool(_) | Value::Number(_) => None,
        }
    }

    /// A list of pairs is a mapping to Python's `dict`.
    fn list(&mut self, list: &[Value], path: &JsonPath<'_>, place: &Place, depth: usize) -> Kept {
        let pair = |item: &'_ Value| match item.as_array()?.as_slice() {
            [Value::String(key), value] => Some((key.clone(), value.clone())),
            _ => None,
        };
        if let Some(pairs) = list.iter().take(self.budget).map(pair).collect::<Option<Map<_, _>>>() {
            let found = self.mapping(entries(&pairs), path, place, Encoding::Other, depth)?;
            return Some(found.into_iter().map(|(name, value)| json!([name, value])).collect());
        }
        self.elements(list, path, place, Encoding::Other, depth.checked_sub(1)?)
    }

    /// Searches the elements of a list. Those that hold nothing are kept as null, as a place is
    /// told by its number.
    fn elements(
        &mut self,
        list: &[Value],
        path: &JsonPath<'_>,
        place: &Place,
        outer: Encoding,
        depth: usize,
    ) -> Kept {
        let ids = self.neighbours(list, path, place);
        let mut all = Vec::new();
        for (index, value) in list.iter().enumerate() {
            let found = self.search(value, &path.index(index), place, outer, depth);
            if self.keeps {
                let is_id = ids.iter().any(|first| [*first, first + 1].contains(&index));
                all.push(if is_id { Some(value.clone()) } else { found });
            }
        }
        all.iter().any(Option::is_some).then(|| all.into_iter().map(Option::unwrap_or_default).collect())
    }

    /// Notes a trace id and a span id that follow each other in a list, and returns where.
    fn neighbours(&mut self, list: &[Value], path: &JsonPath<'_>, place: &Place) -> Vec<usize> {
        let pairs = list.windows(2).take(self.budget).enumerate();
        let found = pairs.filter_map(|(index, pair)| Some((index, pair, ids::of_two(&pair[0], &pair[1])?)));
        let noted = found.filter(|(index, pair, context)| {
            let text = format!("{}, {}", plain(&pair[0]), plain(&pair[1]));
            let path = path.index(*index);
            self.push(&path, place.clone(), Encoding::Other, ContextFormat::Ids, &text, Ok(*context))
        });
        noted.map(|(index, ..)| index).collect()
    }

    /// Notes a trace id and a span id under names of the application's own.
    fn ids<'v>(
        &mut self,
        entries: impl Iterator<Item = (&'v str, &'v Value)> + Clone,
        path: &JsonPath<'_>,
        place: &Place,
        encoding: Encoding,
    ) -> Option<Pair<'v>> {
        let own = entries.filter(|(key, _)| !Carrier::knows(key)).take(self.budget.min(Self::MEMBERS));
        let pair = ids::of_mapping(own.clone())?;
        let text_of = |key: &str| own.clone().find(|(name, _)| *name == key).map(|(_, value)| plain(value));
        let text = format!("{}, {}: {}", text_of(pair.trace)?, pair.span, text_of(pair.span)?);
        let path = path.key(pair.trace);
        self.push(&path, place.clone(), encoding, ContextFormat::Ids, &text, Ok(pair.context)).then_some(pair)
    }

    fn mapping<'v>(
        &mut self,
        entries: impl Iterator<Item = (&'v str, &'v Value)> + Clone,
        path: &JsonPath<'_>,
        place: &Place,
        encoding: Encoding,
        depth: usize,
    ) -> Option<Map<String, Value>> {
        let mut carrier = Carrier::default();
        for (key, value) in entries.clone().take(self.budget) {
            carrier.put(key, value);
        }
        let before = self.contexts.len();
        for found in carrier.contexts() {
            self.note_context(&found, path, place, encoding);
        }
        let mut all = Map::new();
        if self.keeps && self.contexts.len() > before {
            let fields = entries.clone().take(self.budget);
            let fields = fields.filter_map(|(key, value)| Some((key, Field::of(key)?.0.redacted(value))));
            all.extend(fields.map(|(key, value)| (key.to_owned(), value)));
        }
        let own_ids = self.ids(entries.clone(), path, place, encoding);
        let depth = depth.checked_sub(1);
        if depth.is_some() || (self.keeps && own_ids.is_some()) {
            for (key, value) in entries.filter(|(key, _)| !Carrier::knows(key)) {
                let found =
                    depth.and_then(|depth| self.search(value, &path.key(key), place, encoding, depth));
                if self.keeps
                    && let Some(kept) = kept::member(own_ids.as_ref(), key, value, found)
                {
                    all.insert(key.to_owned(), kept);
                }
            }
        }
        (!all.is_empty()).then_some(all)
    }

    /// A text that is a context itself, or in which a carrier is wrapped.
    fn text(
        &mut self,
        text: &str,
        path: &JsonPath<'_>,
        place: &Place,
        outer: Encoding,
        depth: usize,
    ) -> Option<String> {
        if !(Self::SHORTEST..=Self::LONGEST).contains(&text.len()) {
            return None;
        }
        if let Some((wrapping, value)) = unwrapped(text.trim()) {
            let encoding = if outer == Encoding::Bytes { outer } else { wrapping };
            let depth = depth.checked_sub(1)?;
            return match value {
                // Its members are those of nested dicts too, and none of them wraps the others.
                Value::Object(members) if wrapping == Encoding::PythonRepr => {
                    kept::repr_text(&self.mapping(entries(&members), path, place, encoding, depth)?)
                }
                value => Some(kept::json_text(self.search(&value, path, place, encoding, depth)?, wrapping)),
            };
        }
        // A `traceparent` under a name of the application's own.
        let whole = w3c::read(text).map(|context| (ContextFormat::W3c, context));
        let whole = whole.ok().or_else(|| Some((ContextFormat::Ids, ids::of_text(text)?)));
        let (format, context) = whole?;
        let is_noted = self.push(path, place.clone(), outer, format, text, Ok(context));
        (is_noted && self.keeps).then(|| text.to_owned())
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

#[cfg(test)]
mod tests;

//! Requests in JSON that are too long to be held, read from a reader: of one request only
//! the resource, the scope and the span at which the reader is are held.
//!
//! Every writer puts a resource before its scopes and a scope before its spans. Where one
//! does not, what came too early is held until the other came.

use std::fmt;
use std::io::Read;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::others::{self, Counted};
use super::request::{Attributes, JsonScope, JsonSpan};
use super::{Ids, pairs, read_span, visit_scopes, visit_spans};
use crate::model::{Resource, Scope};
use crate::wire::json::{Allowance, EachText, Object, Step, without_lone_halves, without_place};
use crate::wire::otlp::count::{ResourceLogs, ResourceMetrics, ResourceProfiles};
use crate::wire::otlp::{Counts, DecodeError, OtherSignal, PIECE, Sink, attributes, give};

/// Decodes one document of a reader: a request, or a list of requests, each of which may be
/// wrapped as backends do. `next` is called before each request, and between the pieces of
/// a long one. No more than `most` bytes are held of a span, of a resource, or of anything
/// that is no request.
///
/// The reader is left right behind the document.
///
/// # Errors
///
/// [`DecodeError`], and what came before that place has gone to the sink.
pub fn decode_json_stream<S: Sink>(
    reader: impl Read,
    most: usize,
    sink: &mut S,
    next: impl FnMut(&mut S),
) -> Result<Counts, DecodeError> {
    let allowance = Allowance::new(most);
    let mut walk = Walk { sink, next, counts: Counts::default(), allowance: &allowance, lacks: None };
    let mut json = serde_json::Deserializer::from_reader(allowance.apply(reader));
    let walked = Document { walk: &mut walk, ids: Ids::Hex, is_wrapped: false }.deserialize(&mut json);
    let Walk { counts, lacks, .. } = walk;
    DecodeError::of_walk(walked, &allowance)?;
    lacks.map_or(Ok(counts), Err)
}

struct Walk<'w, S, N> {
    sink: &'w mut S,
    next: N,
    counts: Counts,
    allowance: &'w Allowance,
    /// Why the answer is not whole, if whoever wrote it says so.
    lacks: Option<DecodeError>,
}

/// A seed that walks what it finds: of each kind of value that it takes (`visit_map`,
/// `visit_seq`), the method that does so.
macro_rules! walks {
    ($seed:ident, $what:literal, $($visit:ident: $access:ident => $method:ident),+) => {
        impl<'de, S: Sink, N: FnMut(&mut S)> DeserializeSeed<'de> for $seed<'_, '_, S, N> {
            type Value = ();

            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
                deserializer.deserialize_any(self)
            }
        }

        impl<'de, S: Sink, N: FnMut(&mut S)> Visitor<'de> for $seed<'_, '_, S, N> {
            type Value = ();

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str($what)
            }

            fn visit_unit<E>(self) -> Result<(), E> {
                Ok(())
            }

            $(fn $visit<A: $access<'de>>(self, access: A) -> Result<(), A::Error> {
                self.$method(access)
            })+
        }
    };
}

/// A request, what wraps one, or a list of these.
struct Document<'s, 'w, S, N> {
    walk: &'s mut Walk<'w, S, N>,
    ids: Ids,
    is_wrapped: bool,
}

walks!(Document, "a request", visit_map: MapAccess => map, visit_seq: SeqAccess => list);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum DocumentKey {
    #[serde(alias = "resource_spans")]
    ResourceSpans,
    Batches,
    Trace,
    Result,
    Status,
    #[serde(alias = "resource_logs")]
    ResourceLogs,
    #[serde(alias = "resource_metrics")]
    ResourceMetrics,
    #[serde(alias = "resource_profiles")]
    ResourceProfiles,
    Error,
    #[serde(other)]
    Other,
}

impl<S: Sink, N: FnMut(&mut S)> Document<'_, '_, S, N> {
    fn list<'de, A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { walk, ids, .. } = self;
        while list.next_element_seed(Document { walk: &mut *walk, ids, is_wrapped: false })?.is_some() {
            walk.allowance.renew(0);
        }
        Ok(())
    }

    fn map<'de, A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        use OtherSignal::{Logs, Metrics, Profiles};
        let Self { walk, ids, is_wrapped } = self;
        if !is_wrapped {
            (walk.next)(walk.sink);
        }
        while let Some(key) = map.next_key()? {
            match key {
                DocumentKey::ResourceSpans => map.next_value_seed(Resources { walk: &mut *walk, ids })?,
                DocumentKey::Batches => {
                    map.next_value_seed(Resources { walk: &mut *walk, ids: Ids::HexOrBase64 })?;
                }
                DocumentKey::Trace | DocumentKey::Result if !is_wrapped => {
                    let ids = Ids::HexOrBase64;
                    map.next_value_seed(Document { walk: &mut *walk, ids, is_wrapped: true })?;
                }
                DocumentKey::Status => {
                    let status: Box<RawValue> = map.next_value()?;
                    if super::is_partial(Some(&status)) {
                        walk.lacks.get_or_insert(DecodeError::Partial);
                    }
                }
                DocumentKey::ResourceLogs => map.next_value_seed(walk.counted::<ResourceLogs>(Logs))?,
                DocumentKey::ResourceMetrics => {
                    map.next_value_seed(walk.counted::<ResourceMetrics>(Metrics))?;
                }
                DocumentKey::ResourceProfiles => {
                    map.next_value_seed(walk.counted::<ResourceProfiles>(Profiles))?;
                }
                DocumentKey::Error => {
                    let error: Box<RawValue> = map.next_value()?;
                    walk.lacks = others::failure(Some(&error)).or(walk.lacks.take());
                }
                DocumentKey::Trace | DocumentKey::Result | DocumentKey::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// The resources of a request.
struct Resources<'s, 'w, S, N> {
    walk: &'s mut Walk<'w, S, N>,
    ids: Ids,
}

walks!(Resources, "a list of resource spans", visit_seq: SeqAccess => list);

impl<S: Sink, N: FnMut(&mut S)> Resources<'_, '_, S, N> {
    fn list<'de, A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { walk, ids } = self;
        for number in 0.. {
            let seed = OneResource { walk: &mut *walk, ids, number };
            if list.next_element_seed(seed)?.is_none() {
                break;
            }
            walk.allowance.renew(0);
        }
        Ok(())
    }
}

/// The spans of one resource.
struct OneResource<'s, 'w, S, N> {
    walk: &'s mut Walk<'w, S, N>,
    ids: Ids,
    number: usize,
}

walks!(OneResource, "resource spans", visit_map: MapAccess => map);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum ResourceKey {
    Resource,
    #[serde(alias = "scope_spans", alias = "instrumentationLibrarySpans")]
    ScopeSpans,
    #[serde(other)]
    Other,
}

impl<S: Sink, N: FnMut(&mut S)> OneResource<'_, '_, S, N> {
    fn map<'de, A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { walk, ids, number } = self;
        let mut resource: Option<Box<RawValue>> = None;
        let mut too_early: Option<Box<RawValue>> = None;
        while let Some(key) = map.next_key()? {
            match (key, &resource) {
                (ResourceKey::Resource, _) => {
                    let text: Box<RawValue> = map.next_value()?;
                    walk.tell_resource(&text).map_err(|error| A::Error::custom(without_place(&error)))?;
                    resource = Some(text);
                }
                (ResourceKey::ScopeSpans, Some(resource)) => {
                    map.next_value_seed(Scopes { walk: &mut *walk, ids, number, resource })?;
                }
                (ResourceKey::ScopeSpans, None) => too_early = Some(map.next_value()?),
                (ResourceKey::Other, _) => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if resource.is_none() {
            walk.sink.resource(&Resource::default());
        }
        let Some(scopes) = too_early else { return Ok(()) };
        walk.visit_held(&scopes, |text, walk| {
            visit_scopes(Some(text), ids, number, &mut walk.counts, walk.sink)
        })
        .map_err(|error| A::Error::custom(without_place(&error)))
    }
}

/// The scopes of one resource.
struct Scopes<'s, 'w, S, N> {
    walk: &'s mut Walk<'w, S, N>,
    ids: Ids,
    number: usize,
    resource: &'s RawValue,
}

walks!(Scopes, "a list of scope spans", visit_seq: SeqAccess => list);

impl<S: Sink, N: FnMut(&mut S)> Scopes<'_, '_, S, N> {
    fn list<'de, A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { walk, ids, number, resource } = self;
        for scope_number in 0.. {
            let seed = OneScope { walk: &mut *walk, ids, place: [number, scope_number], resource };
            if list.next_element_seed(seed)?.is_none() {
                break;
            }
            walk.allowance.renew(resource.get().len());
        }
        Ok(())
    }
}

/// The spans of one scope.
struct OneScope<'s, 'w, S, N> {
    walk: &'s mut Walk<'w, S, N>,
    ids: Ids,
    place: [usize; 2],
    resource: &'s RawValue,
}

walks!(OneScope, "scope spans", visit_map: MapAccess => map);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum ScopeKey {
    #[serde(alias = "instrumentationLibrary")]
    Scope,
    Spans,
    #[serde(other)]
    Other,
}

impl<S: Sink, N: FnMut(&mut S)> OneScope<'_, '_, S, N> {
    fn map<'de, A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { walk, ids, place, resource } = self;
        let mut scope: Option<Box<RawValue>> = None;
        let mut too_early: Option<Box<RawValue>> = None;
        while let Some(key) = map.next_key()? {
            match (key, &scope) {
                (ScopeKey::Scope, _) => {
                    let text: Box<RawValue> = map.next_value()?;
                    walk.tell_scope(&text).map_err(|error| A::Error::custom(without_place(&error)))?;
                    scope = Some(text);
                }
                (ScopeKey::Spans, Some(scope)) => {
                    let allowance = walk.allowance;
                    let mut number = 0;
                    let each = |text: &RawValue| {
                        walk.span(text, ids, place, number, [resource, scope])?;
                        number += 1;
                        Ok(())
                    };
                    let held = resource.get().len() + scope.get().len();
                    map.next_value_seed(EachText { allowance, held, each })?;
                }
                (ScopeKey::Spans, None) => too_early = Some(map.next_value()?),
                (ScopeKey::Other, _) => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if scope.is_none() {
            walk.sink.scope(&Scope::default());
        }
        let Some(spans) = too_early else { return Ok(()) };
        walk.visit_held(&spans, |text, walk| visit_spans(Some(text), ids, place, &mut walk.counts, walk.sink))
            .map_err(|error| A::Error::custom(without_place(&error)))
    }
}

impl<S: Sink, N: FnMut(&mut S)> Walk<'_, S, N> {
    /// What counts the records of a list.
    fn counted<T>(&mut self, signal: OtherSignal) -> Counted<'_, T> {
        Counted::new(signal, &mut self.counts.others, self.allowance)
    }

    fn tell_resource(&mut self, text: &RawValue) -> Step<()> {
        let text = without_lone_halves(text.get().as_bytes());
        let mut resource = Resource::default();
        if let Some(Object(given)) = serde_json::from_slice::<Option<Object<Attributes<'_>>>>(&text)? {
            pairs(given.attributes, |key, value| attributes::fill_resource(&mut resource, key, value))?;
        }
        self.sink.resource(&resource);
        Ok(())
    }

    fn tell_scope(&mut self, text: &RawValue) -> Step<()> {
        let text = without_lone_halves(text.get().as_bytes());
        let scope: Option<Object<JsonScope<'_>>> = serde_json::from_slice(&text)?;
        self.sink.scope(&super::scope(scope.map(|Object(scope)| scope)));
        Ok(())
    }

    fn span(
        &mut self,
        text: &RawValue,
        ids: Ids,
        [resource, scope]: [usize; 2],
        number: usize,
        of: [&RawValue; 2],
    ) -> Step<()> {
        let taken = self.counts.spans + self.counts.refused;
        if number > 0 && taken.is_multiple_of(PIECE) {
            (self.next)(self.sink);
            self.tell_resource(of[0])?;
            self.tell_scope(of[1])?;
        }
        let text = without_lone_halves(text.get().as_bytes());
        let Object(span): Object<JsonSpan<'_>> = serde_json::from_slice(&text)?;
        let read = read_span(span, ids, &mut self.counts.lenient)?;
        give(read, [resource, scope, number], &mut self.counts, self.sink);
        Ok(())
    }

    /// Visits what came before what it belongs to.
    fn visit_held(
        &mut self,
        text: &RawValue,
        visit: impl FnOnce(&RawValue, &mut Self) -> Step<()>,
    ) -> Step<()> {
        let text = without_lone_halves(text.get().as_bytes());
        visit(serde_json::from_slice(&text)?, self)
    }
}

#[cfg(test)]
mod tests;

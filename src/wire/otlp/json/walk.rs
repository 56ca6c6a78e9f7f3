//! The spans of a request, of which each part is read where it stands.
//!
//! Every writer puts a resource before its scopes and a scope before its spans. Where one
//! does not, what came too early is held until the other came.

use std::borrow::Borrow;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess};
use serde_json::de::SliceRead;
use serde_json::value::RawValue;

use super::request::{Attributes, JsonScope, JsonSpan};
use super::span::{self, Ids, pairs, read_span};
use crate::model::{Resource, Scope};
use crate::wire::json::{Object, Step, without_lone_halves, without_place};
use crate::wire::otlp::{Counts, Sink, attributes, give};

/// Where a request is read from.
pub trait Source<'de, S> {
    /// The text of a part that is held.
    type Text: Deserialize<'de> + Borrow<RawValue>;
    /// A span as it is taken from its list.
    type Span: Deserialize<'de>;

    /// Reads a span.
    fn with_span(span: Self::Span, read: impl FnOnce(JsonSpan<'_>) -> Step<()>) -> Step<()>;

    /// A part has ended, and of what was read only so many bytes are still held.
    fn part_ended(&mut self, _held: usize) {}

    /// Lets the sink turn to others after so many spans, if it is time. Returns whether it did:
    /// then it has to be told again whose spans follow.
    fn pauses(&mut self, _sink: &mut S, _taken: u64) -> bool {
        false
    }
}

/// A text that is held as a whole.
pub struct Held;

impl<'de, S> Source<'de, S> for Held {
    type Text = &'de RawValue;
    type Span = Object<JsonSpan<'de>>;

    fn with_span(Object(span): Self::Span, read: impl FnOnce(JsonSpan<'_>) -> Step<()>) -> Step<()> {
        read(span)
    }
}

/// A walk through the spans of a request, and how far it has counted.
pub struct Walk<'w, S, P> {
    pub sink: &'w mut S,
    pub counts: &'w mut Counts,
    pub source: P,
}

/// A seed that walks what it finds: of each kind of value that it takes (`visit_map`,
/// `visit_seq`), the method that does so.
macro_rules! walks {
    ([$($generics:tt)*] $seed:ty, $what:literal, $($visit:ident: $access:ident => $method:ident),+) => {
        impl<'de, $($generics)*> ::serde::de::DeserializeSeed<'de> for $seed {
            type Value = ();

            fn deserialize<D: ::serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
                deserializer.deserialize_any(self)
            }
        }

        impl<'de, $($generics)*> ::serde::de::Visitor<'de> for $seed {
            type Value = ();

            fn expecting(&self, formatter: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
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
pub(super) use walks;

/// The resources of a request.
pub struct Resources<'s, 'w, S, P> {
    pub walk: &'s mut Walk<'w, S, P>,
    pub ids: Ids,
}

walks!([S: Sink, P: Source<'de, S>] Resources<'_, '_, S, P>, "a list of resource spans", visit_seq: SeqAccess => list);

impl<S: Sink, P> Resources<'_, '_, S, P> {
    fn list<'de, A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error>
    where
        P: Source<'de, S>,
    {
        let Self { walk, ids } = self;
        for number in 0.. {
            let seed = OneResource { walk: &mut *walk, ids, number };
            if list.next_element_seed(seed)?.is_none() {
                break;
            }
            walk.source.part_ended(0);
        }
        Ok(())
    }
}

/// The spans of one resource.
struct OneResource<'s, 'w, S, P> {
    walk: &'s mut Walk<'w, S, P>,
    ids: Ids,
    number: usize,
}

walks!([S: Sink, P: Source<'de, S>] OneResource<'_, '_, S, P>, "resource spans", visit_map: MapAccess => map);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum ResourceKey {
    Resource,
    #[serde(alias = "scope_spans", alias = "instrumentationLibrarySpans")]
    ScopeSpans,
    #[serde(other)]
    Other,
}

impl<S: Sink, P> OneResource<'_, '_, S, P> {
    fn map<'de, A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error>
    where
        P: Source<'de, S>,
    {
        let Self { walk, ids, number } = self;
        let mut resource: Option<P::Text> = None;
        let mut too_early: Option<P::Text> = None;
        while let Some(key) = map.next_key()? {
            match (key, &resource) {
                (ResourceKey::Resource, _) => {
                    let text: P::Text = map.next_value()?;
                    walk.tell_resource(text.borrow())
                        .map_err(|error| A::Error::custom(without_place(&error)))?;
                    resource = Some(text);
                }
                (ResourceKey::ScopeSpans, Some(resource)) => {
                    map.next_value_seed(Scopes {
                        walk: &mut *walk,
                        ids,
                        number,
                        resource: resource.borrow(),
                    })?;
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
        walk.visit_early(scopes.borrow(), |walk, json| {
            Scopes { walk, ids, number, resource: RawValue::NULL }.deserialize(json)
        })
        .map_err(|error| A::Error::custom(without_place(&error)))
    }
}

/// The scopes of one resource.
struct Scopes<'s, 'w, S, P> {
    walk: &'s mut Walk<'w, S, P>,
    ids: Ids,
    number: usize,
    resource: &'s RawValue,
}

walks!([S: Sink, P: Source<'de, S>] Scopes<'_, '_, S, P>, "a list of scope spans", visit_seq: SeqAccess => list);

impl<S: Sink, P> Scopes<'_, '_, S, P> {
    fn list<'de, A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error>
    where
        P: Source<'de, S>,
    {
        let Self { walk, ids, number, resource } = self;
        for scope_number in 0.. {
            let seed = OneScope { walk: &mut *walk, ids, place: [number, scope_number], resource };
            if list.next_element_seed(seed)?.is_none() {
                break;
            }
            walk.source.part_ended(resource.get().len());
        }
        Ok(())
    }
}

/// The spans of one scope.
struct OneScope<'s, 'w, S, P> {
    walk: &'s mut Walk<'w, S, P>,
    ids: Ids,
    place: [usize; 2],
    resource: &'s RawValue,
}

walks!([S: Sink, P: Source<'de, S>] OneScope<'_, '_, S, P>, "scope spans", visit_map: MapAccess => map);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum ScopeKey {
    #[serde(alias = "instrumentationLibrary")]
    Scope,
    Spans,
    #[serde(other)]
    Other,
}

impl<S: Sink, P> OneScope<'_, '_, S, P> {
    fn map<'de, A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error>
    where
        P: Source<'de, S>,
    {
        let Self { walk, ids, place, resource } = self;
        let mut scope: Option<P::Text> = None;
        let mut too_early: Option<P::Text> = None;
        while let Some(key) = map.next_key()? {
            match (key, &scope) {
                (ScopeKey::Scope, _) => {
                    let text: P::Text = map.next_value()?;
                    walk.tell_scope(text.borrow())
                        .map_err(|error| A::Error::custom(without_place(&error)))?;
                    scope = Some(text);
                }
                (ScopeKey::Spans, Some(scope)) => {
                    let of = [resource, scope.borrow()];
                    map.next_value_seed(Spans { walk: &mut *walk, ids, place, of })?;
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
        walk.visit_early(spans.borrow(), |walk, json| {
            Spans { walk, ids, place, of: [RawValue::NULL; 2] }.deserialize(json)
        })
        .map_err(|error| A::Error::custom(without_place(&error)))
    }
}

/// The spans of a scope.
struct Spans<'s, 'w, S, P> {
    walk: &'s mut Walk<'w, S, P>,
    ids: Ids,
    place: [usize; 2],
    /// The resource and the scope.
    of: [&'s RawValue; 2],
}

walks!([S: Sink, P: Source<'de, S>] Spans<'_, '_, S, P>, "a list", visit_seq: SeqAccess => list);

impl<S: Sink, P> Spans<'_, '_, S, P> {
    fn list<'de, A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error>
    where
        P: Source<'de, S>,
    {
        let Self { walk, ids, place: [resource, scope], of } = self;
        let held = of.iter().map(|text| text.get().len()).sum();
        for number in 0.. {
            let Some(span) = list.next_element()? else { break };
            walk.span(span, ids, [resource, scope, number], of)
                .map_err(|error| A::Error::custom(without_place(&error)))?;
            walk.source.part_ended(held);
        }
        Ok(())
    }
}

impl<S: Sink, P> Walk<'_, S, P> {
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
        self.sink.scope(&span::scope(scope.map(|Object(scope)| scope)));
        Ok(())
    }

    fn span<'de>(
        &mut self,
        span: P::Span,
        ids: Ids,
        place: [usize; 3],
        [resource, scope]: [&RawValue; 2],
    ) -> Step<()>
    where
        P: Source<'de, S>,
    {
        let taken = self.counts.spans + self.counts.refused;
        if place[2] > 0 && self.source.pauses(self.sink, taken) {
            self.tell_resource(resource)?;
            self.tell_scope(scope)?;
        }
        let Self { sink, counts, .. } = self;
        P::with_span(span, |span| {
            let read = read_span(span, ids, &mut counts.lenient)?;
            give(read, place, counts, *sink);
            Ok(())
        })
    }

    /// Visits what came before what it belongs to.
    fn visit_early(
        &mut self,
        text: &RawValue,
        visit: impl FnOnce(&mut Walk<'_, S, Held>, &mut serde_json::Deserializer<SliceRead<'_>>) -> Step<()>,
    ) -> Step<()> {
        let text = without_lone_halves(text.get().as_bytes());
        let mut walk = Walk { sink: &mut *self.sink, counts: &mut *self.counts, source: Held };
        visit(&mut walk, &mut serde_json::Deserializer::from_slice(&text))
    }
}

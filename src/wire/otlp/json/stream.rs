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
use crate::wire::json::{Allowance, EachText, Step, without_lone_halves, without_place};
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
        if let Some(given) = serde_json::from_slice::<Option<Attributes<'_>>>(&text)? {
            pairs(given.attributes, |key, value| attributes::fill_resource(&mut resource, key, value))?;
        }
        self.sink.resource(&resource);
        Ok(())
    }

    fn tell_scope(&mut self, text: &RawValue) -> Step<()> {
        let text = without_lone_halves(text.get().as_bytes());
        let scope: Option<JsonScope<'_>> = serde_json::from_slice(&text)?;
        self.sink.scope(&super::scope(scope));
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
        let span: JsonSpan<'_> = serde_json::from_slice(&text)?;
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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::otlp::decode_json;
    use crate::wire::tags::tests::Told;

    fn told(text: &str, most: usize) -> (Vec<String>, Result<Counts, DecodeError>) {
        let mut told = Told::default();
        let counts =
            decode_json_stream(text.as_bytes(), most, &mut told, |told| told.lines.push("next".to_owned()));
        (told.lines, counts)
    }

    fn span(number: usize) -> String {
        format!(
            r#"{{"traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": "00f067aa{number:08x}", "name": "s{number}"}}"#
        )
    }

    fn request(service: &str, spans: &str) -> String {
        let name = format!(r#"[{{"key": "service.name", "value": {{"stringValue": "{service}"}}}}]"#);
        format!(
            r#"{{"resourceSpans": [{{"resource": {{"attributes": {name}}}, "scopeSpans": [{{"scope": {{"name": "celery"}}, "spans": [{spans}]}}], "schemaUrl": ""}}]}}"#
        )
    }

    /// As the decoder of a text that is held tells it.
    fn held(text: &str) -> Vec<String> {
        let mut told = Told::default();
        decode_json(text.as_bytes(), &mut told).expect("a request");
        told.lines
    }

    #[test]
    fn a_request_is_told_as_if_it_were_held() {
        let text = request("api", &format!(r#"{}, {{"traceId": "no"}}, {}"#, span(1), span(2)));
        let (lines, counts) = told(&text, 400);
        assert_eq!(counts.expect("a request"), Counts { spans: 2, refused: 1, ..Counts::default() });
        assert_eq!(lines[0], "next");
        assert_eq!(lines[1..], held(&text));
        let turned = r#"{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
            "spanId": "00f067aa0ba902b7", "name": "cut \ud83d"}], "scope": {"name": "celery"}}], "resource": null}]}"#;
        assert_eq!(told(turned, 400).0.last(), held(turned).last());
    }

    #[test]
    fn what_holds_nothing_is_told_as_if_it_were_held() {
        for resource_spans in ["{}", r#"{"scopeSpans": []}"#, r#"{"resource": {}, "scopeSpans": [{}]}"#] {
            let text = format!(r#"{{"resourceSpans": [{resource_spans}]}}"#);
            let (lines, counts) = told(&text, 400);
            assert_eq!(counts.expect("a request"), Counts::default());
            assert_eq!(lines[1..], held(&text), "{text}");
        }
    }

    #[test]
    fn a_list_of_requests_is_read_and_each_is_one() {
        let text = format!("[{}, {},\n[]]", request("api", &span(1)), request("worker", &span(2)));
        let (lines, counts) = told(&text, 1_000);
        assert_eq!(counts.expect("a list").spans, 2);
        assert_eq!(lines.iter().filter(|line| *line == "next").count(), 2, "{lines:?}");
        assert!(lines[5].starts_with("worker"), "{lines:?}");
    }

    #[test]
    fn what_backends_hand_out_is_read_and_a_partial_trace_is_named() {
        let batch = r#"[{"resource": {}, "instrumentationLibrarySpans": [{"instrumentationLibrary": {"name": "celery"},
            "spans": [{"traceId": "S/kvNXezTaajzpKdDg5HNg==", "spanId": "APBnqgupArc=", "name": "a", "kind": "SPAN_KIND_SERVER"}]}]}]"#;
        for text in [
            format!(r#"{{"batches": {batch}}}"#),
            format!(r#"{{"trace": {{"resourceSpans": {batch}}}, "metrics": {{}}}}"#),
            format!(r#"{{"result": {{"resourceSpans": {batch}}}}}"#),
        ] {
            let (lines, counts) = told(&text, 1_000);
            assert_eq!(counts.expect("a trace").spans, 1, "{text}");
            assert_eq!(lines[1..], held(&text));
            assert_eq!(lines[2], "celery");
        }
        let partial = format!(
            r#"{{"trace": {{"resourceSpans": {batch}}}, "status": "PARTIAL", "message": "too large"}}"#
        );
        let (lines, counts) = told(&partial, 1_000);
        assert!(matches!(counts, Err(DecodeError::Partial)), "{counts:?}");
        assert_eq!(lines.len(), 4);
    }

    #[test]
    fn a_request_without_end_is_read_in_pieces_and_a_span_without_end_is_not() {
        let spans: Vec<_> = (1..=5_000).map(span).collect();
        let (lines, counts) = told(&request("api", &spans.join(",")), 400);
        assert_eq!(counts.expect("a request").spans, 5_000);
        assert_eq!(lines.iter().filter(|line| *line == "next").count(), 3);
        assert_eq!(lines.iter().filter(|line| line.starts_with("api")).count(), 3);
        let long = format!(r#"{{"name": "{}"}}"#, "x".repeat(500));
        let (lines, counts) = told(&request("api", &format!("{}, {long}", span(1))), 400);
        assert!(matches!(counts, Err(DecodeError::TooLong)), "{counts:?}");
        assert_eq!(lines.len(), 4, "{lines:?}");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[\\[\\]{}\",:a-zA-Z0-9 ]{0,120}", most in 0_usize..64) {
            let _ = told(&text, most);
        }

        #[test]
        fn no_cut_panics_and_none_is_longer_than_the_whole(at in 0_usize..300) {
            let text = request("api", &span(1));
            let (lines, _) = told(&text[..at.min(text.len())], 1_000);
            let whole = told(&text, 1_000).0;
            prop_assert_eq!(&lines[..], &whole[..lines.len()]);
        }
    }
}

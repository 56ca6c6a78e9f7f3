//! OTLP in JSON: <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>.
//!
//! Lenient if a batch would be lost otherwise: an enum by its name, a number as a string, a
//! null list, `snake_case` keys. Each is counted.
//!
//! What Tempo, Grafana and Jaeger's API hand out is OTLP under another name, with ids in
//! Base64 too, as in protobuf's own JSON: `{"batches": […]}`, `{"trace": {"resourceSpans": […]}}`,
//! `{"result": {…}}`, with `instrumentationLibrary` for `scope`. `docs/files.md` names the
//! sources.
//!
//! A list is walked one element at a time: `{},` is three bytes of a request and five hundred
//! as a span, so parsing a whole list at once could take gigabytes. A text that is held is
//! read once to see that it is JSON, and once more down to each span.

mod others;
mod request;
mod span;
mod stream;
mod walk;

use serde::de::DeserializeSeed;
use serde_json::value::RawValue;

pub use self::stream::decode_json_stream;

use self::request::{Request, Wrapped};
use self::span::Ids;
use self::walk::{Held, Resources, Walk};
use super::{BrokenDocument, Counts, DecodeError, Sink};
use crate::wire::json::{List, Object, Step, without_lone_halves};

/// Decodes one request.
///
/// # Errors
///
/// [`DecodeError::Json`] with the line and column at which the text breaks.
/// If it is JSON but no request, the spans before that place have gone to the sink.
pub fn decode_json(body: &[u8], sink: &mut impl Sink) -> Result<Counts, DecodeError> {
    let text = without_lone_halves(body);
    let Object(request) = serde_json::from_slice(&text)?;
    visit(&request, sink)
}

/// Decodes requests that stand one after the other, as a file of JSON lines
/// or a pretty-printed document has them, and calls `next` before each.
///
/// # Errors
///
/// [`BrokenDocument`] at the first that breaks. Those before it have gone to
/// the sink.
pub fn decode_json_documents<S: Sink>(
    text: &[u8],
    sink: &mut S,
    mut next: impl FnMut(&mut S),
) -> Result<Counts, BrokenDocument> {
    let mut counts = Counts::default();
    let text = &*without_lone_halves(text);
    let mut documents = serde_json::Deserializer::from_slice(text).into_iter::<Object<Request<'_>>>();
    let mut partial = None;
    loop {
        let at = documents.byte_offset();
        let Some(request) = documents.next() else { return partial.map_or(Ok(counts), Err) };
        let Object(request) = request.map_err(|error| BrokenDocument { at, error: error.into() })?;
        next(sink);
        match visit(&request, sink) {
            Ok(taken) => counts += taken,
            Err(error) if error.is_of_whole_text() => partial = Some(BrokenDocument { at, error }),
            Err(error) => return Err(BrokenDocument { at, error }),
        }
    }
}

fn visit(request: &Request<'_>, sink: &mut impl Sink) -> Result<Counts, DecodeError> {
    let mut counts = visit_list(request.resource_spans, Ids::Hex, sink)?;
    counts += visit_list(request.batches, Ids::HexOrBase64, sink)?;
    // A wrapping contains no other wrapping.
    for wrapped in [request.trace, request.result].into_iter().flatten() {
        let Object(Wrapped { resource_spans }) = serde_json::from_str(wrapped.get())?;
        counts += visit_list(resource_spans, Ids::HexOrBase64, sink)?;
    }
    counts.others = others::others(request)?;
    if let Some(failure) = others::failure(request.error) {
        return Err(failure);
    }
    if is_partial(request.status) { Err(DecodeError::Partial) } else { Ok(counts) }
}

/// Whether Tempo says that it left out spans of a trace, because it is too large or for a
/// filter's sake
/// (<https://github.com/grafana/tempo/blob/main/modules/frontend/combiner/trace_by_id_v2.go>).
fn is_partial(status: Option<&RawValue>) -> bool {
    status.is_some_and(|status| matches!(status.get(), r#""PARTIAL""# | "1"))
}

fn visit_list(list: List<'_>, ids: Ids, sink: &mut impl Sink) -> Step<Counts> {
    let mut counts = Counts::default();
    if let Some(list) = list {
        let mut walk = Walk { sink, counts: &mut counts, source: Held };
        let mut json = serde_json::Deserializer::from_str(list.get());
        Resources { walk: &mut walk, ids }.deserialize(&mut json)?;
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Invalid, Resource, Scope, Span};
    use crate::wire::otlp::attributes;

    #[derive(Default)]
    struct Seen {
        spans: Vec<String>,
        refused: Vec<String>,
    }

    impl Sink for Seen {
        fn resource(&mut self, _: &Resource<'_>) {}
        fn scope(&mut self, _: &Scope<'_>) {}
        fn span(&mut self, span: &Span<'_>) {
            self.spans.push(format!("{} {:?} {:?}", span.name, span.kind, span.parent_origin));
        }
        fn refused(&mut self, why: Invalid, at: &str) {
            self.refused.push(format!("{} at {at}", why.label()));
        }
    }

    #[test]
    fn odd_fields_do_not_lose_the_batch() {
        let body = br#"{"resourceSpans": [{"resource": {"attributes": null}, "scopeSpans": [{"spans": [
            {"traceId": "4BF92F3577B34DA6A3CE929D0E0E4736", "spanId": "00f067aa0ba902b7", "name": "a", "kind": "SPAN_KIND_SERVER",
             "flags": "257", "startTimeUnixNano": 5, "endTimeUnixNano": "9", "links": null, "what": {"is": ["this"]},
             "attributes": [{"key": "ratio", "value": {"doubleValue": "NaN"}}, {"key": "n", "value": {"intValue": "7"}}, {"key": "x"}]},
            {"traceId": "4bf92f35", "spanId": "00f067aa0ba902b7", "name": "short"},
            {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b8", "name": "snake", "kind": 5, "flags": 768}
        ]}]}]}"#;
        let mut seen = Seen::default();
        let counts = decode_json(body, &mut seen).expect("lenient");
        assert_eq!(counts, Counts { spans: 2, refused: 1, lenient: 2, ..Counts::default() });
        assert_eq!(seen.spans, ["a Server Local", "snake Consumer Remote"]);
        assert_eq!(seen.refused, ["trace-id at resourceSpans[0].scopeSpans[0].spans[1]"]);
    }

    #[test]
    fn what_backends_hand_out_is_a_request_under_another_name() {
        let spans = r#"[{"resource": {}, "scopeSpans": [{"spans": [
            {"traceId": "S/kvNXezTaajzpKdDg5HNg==", "spanId": "APBnqgupArc=", "parentSpanId": "", "name": "a", "kind": "SPAN_KIND_SERVER"}]}]}]"#;
        for document in [
            format!(r#"{{"batches": {spans}}}"#),
            format!(r#"{{"trace": {{"resourceSpans": {spans}}}}}"#),
            format!(r#"{{"trace": {{"batches": {spans}}}, "metrics": {{}}}}"#),
            format!(r#"{{"result": {{"resourceSpans": {spans}}}}}"#),
        ] {
            let mut seen = Seen::default();
            let counts = decode_json(document.as_bytes(), &mut seen).expect("a request");
            assert_eq!((counts.spans, counts.refused), (1, 0), "{document}");
            assert_eq!(seen.spans, ["a Server Unknown"]);
        }
    }

    #[test]
    fn a_lone_surrogate_loses_its_string_and_not_the_batch() {
        let span = |id: u8, name: &str| {
            format!(
                r#"{{"traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": "00f067aa0ba902b{id}", "name": "{name}"}}"#
            )
        };
        let spans = [span(1, "a"), span(2, r"cut \ud83d"), span(3, r"\ud83d\ude00")].join(",");
        let body = format!(r#"{{"resourceSpans": [{{"scopeSpans": [{{"spans": [{spans}]}}]}}]}}"#);
        let mut seen = Seen::default();
        assert_eq!(decode_json(body.as_bytes(), &mut seen).expect("a batch").spans, 3);
        let names: Vec<_> = seen.spans.iter().map(|span| span.replace(" Unspecified Unknown", "")).collect();
        assert_eq!(names, ["a", "cut \u{fffd}", "😀"]);
        assert_eq!(decode_json_documents(body.as_bytes(), &mut seen, |_| {}).expect("a batch").spans, 3);
    }

    #[test]
    fn of_a_million_links_those_are_kept_that_an_sdk_keeps() {
        #[derive(Default)]
        struct Links(usize);
        impl Sink for Links {
            fn resource(&mut self, _: &Resource<'_>) {}
            fn scope(&mut self, _: &Scope<'_>) {}
            fn span(&mut self, span: &Span<'_>) {
                self.0 += span.links.len();
            }
            fn refused(&mut self, _: Invalid, _: &str) {}
        }
        let link = r#"{"traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": "00f067aa0ba902b7"}"#;
        let links = vec![link; 1_000].join(",");
        let span = format!(
            r#"{{"traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": "00f067aa0ba902b8", "links": [{links}]}}"#
        );
        let body = format!(r#"{{"resourceSpans": [{{"scopeSpans": [{{"spans": [{span}]}}]}}]}}"#);
        let mut seen = Links::default();
        decode_json(body.as_bytes(), &mut seen).expect("a request");
        assert_eq!(seen.0, attributes::LINKS);
    }

    #[test]
    fn a_break_is_named_by_line_and_column() {
        let error = decode_json(b"{\n \"resourceSpans\": [}", &mut Seen::default()).expect_err("broken");
        assert!(error.to_string().contains("line 2 column 20"), "{error}");
    }

    /// Regression: serde takes a list for a struct, one element for each field, and what is read
    /// from a stream was not the same.
    #[test]
    fn a_list_is_no_object() {
        let span = r#"["4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"]"#;
        for body in [
            "[[[[]]]]".to_owned(),
            r#"{"resourceSpans": [[]]}"#.to_owned(),
            r#"{"resourceSpans": [{"resource": []}]}"#.to_owned(),
            format!(r#"{{"resourceSpans": [{{"scopeSpans": [{{"scope": {{}}, "spans": [{span}]}}]}}]}}"#),
        ] {
            let error = decode_json(body.as_bytes(), &mut Seen::default()).expect_err("no request");
            assert!(error.to_string().contains("invalid type: sequence"), "{body}: {error}");
            assert!(decode_json_documents(body.as_bytes(), &mut Seen::default(), |_| {}).is_err(), "{body}");
            let mut streamed = Seen::default();
            let _ = decode_json_stream(body.as_bytes(), 1_000, &mut streamed, |_| {});
            assert!(streamed.spans.is_empty(), "{body}");
        }
    }

    #[test]
    fn nesting_without_end_is_an_error() {
        let deep = format!(r#"{{"resourceSpans": {}"#, "[".repeat(100_000));
        assert!(decode_json(deep.as_bytes(), &mut Seen::default()).is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[\\[\\]{}\",:a-zA-Z0-9 ]{0,120}") {
            let _ = decode_json(text.as_bytes(), &mut Seen::default());
        }
    }
}

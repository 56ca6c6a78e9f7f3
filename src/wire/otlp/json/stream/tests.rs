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
    let partial =
        format!(r#"{{"trace": {{"resourceSpans": {batch}}}, "status": "PARTIAL", "message": "too large"}}"#);
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

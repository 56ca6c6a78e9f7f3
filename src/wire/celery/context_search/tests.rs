use serde_json::json;

use super::*;
use crate::model::FlawKind;

const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn search(headers: &Value) -> ContextSearch {
    let mut search = ContextSearch::default();
    search.headers(entries(headers.as_object().expect("an object")));
    search.sort();
    search
}

/// The path, place, encoding and format of each context that is valid.
fn valid(headers: &Value) -> Vec<(String, Place, Encoding, ContextFormat)> {
    let contexts = search(headers).contexts.into_iter().filter(|found| found.reading.is_ok());
    contexts.map(|found| (found.at.into(), found.place, found.encoding, found.format)).collect()
}

#[test]
fn every_writer_is_found_where_it_writes() {
    let carrier = |name: &str| Place::Carrier(name.into());
    let json = json!({"traceparent": VALID}).to_string();
    for (headers, at, place, encoding, format) in [
        (json!({"traceparent": VALID}), "traceparent", Place::Header, Encoding::Flat, ContextFormat::W3c),
        (
            json!({"b3": "463ac35c9f6413ad-a2fb4a1d1a96d312-1"}),
            "b3",
            Place::Header,
            Encoding::Flat,
            ContextFormat::B3,
        ),
        (
            json!({"x-b3-traceid": "463ac35c9f6413ad", "x-b3-spanid": "a2fb4a1d1a96d312"}),
            "x-b3-traceid",
            Place::Header,
            Encoding::Flat,
            ContextFormat::B3Multi,
        ),
        (
            json!({"uber-trace-id": "3f6a:b1:0:1"}),
            "uber-trace-id",
            Place::Header,
            Encoding::Flat,
            ContextFormat::Jaeger,
        ),
        (
            json!({"X-Amzn-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8"}),
            "X-Amzn-Trace-Id",
            Place::Header,
            Encoding::Flat,
            ContextFormat::XRay,
        ),
        (
            json!({"headers": {"x-datadog-trace-id": "7", "x-datadog-parent-id": 8}}),
            "headers.x-datadog-trace-id",
            Place::NestedHeaders,
            Encoding::Flat,
            ContextFormat::Datadog,
        ),
        (
            json!({"sentry-trace": "8161a4da525b46d282cead7556c463b3-9ef87c133f4ed64b-1"}),
            "sentry-trace",
            Place::Header,
            Encoding::Flat,
            ContextFormat::Sentry,
        ),
        (
            json!({"elasticapm": {"trace_parent_string": VALID}}),
            "elasticapm.trace_parent_string",
            Place::Header,
            Encoding::Object,
            ContextFormat::Elastic,
        ),
        (json!({"ctx": json}), "ctx.traceparent", carrier("ctx"), Encoding::JsonText, ContextFormat::W3c),
        (
            json!({"ctx": {"traceparent": VALID}}),
            "ctx.traceparent",
            carrier("ctx"),
            Encoding::Object,
            ContextFormat::W3c,
        ),
        (
            json!({"ctx": format!("{{'traceparent': '{VALID}'}}")}),
            "ctx.traceparent",
            carrier("ctx"),
            Encoding::PythonRepr,
            ContextFormat::W3c,
        ),
        (
            json!({"ctx": json!(json).to_string()}),
            "ctx.traceparent",
            carrier("ctx"),
            Encoding::JsonInJson,
            ContextFormat::W3c,
        ),
        (
            json!({"ctx": {"__type__": "bytes", "__value__": json}}),
            "ctx.traceparent",
            carrier("ctx"),
            Encoding::Bytes,
            ContextFormat::W3c,
        ),
        (
            json!({"ctx": [["traceparent", VALID]]}),
            "ctx.traceparent",
            carrier("ctx"),
            Encoding::Other,
            ContextFormat::W3c,
        ),
        (
            json!({"parent_span": VALID}),
            "parent_span",
            carrier("parent_span"),
            Encoding::Flat,
            ContextFormat::W3c,
        ),
        (
            json!({"meta": {"tracing": {"traceparent": VALID}}}),
            "meta.tracing.traceparent",
            carrier("meta"),
            Encoding::Object,
            ContextFormat::W3c,
        ),
        (
            json!({"headers": {"trace_context": json}}),
            "headers.trace_context.traceparent",
            Place::NestedHeaders,
            Encoding::JsonText,
            ContextFormat::W3c,
        ),
    ] {
        assert_eq!(valid(&headers), [(format!("headers.{at}"), place, encoding, format)], "{headers}");
    }
}

#[test]
fn a_composite_propagator_leaves_several_in_the_order_of_their_places() {
    let headers = json!({
        "ctx": {"traceparent": VALID, "b3": "463ac35c9f6413ad-a2fb4a1d1a96d312"},
        "headers": {"traceparent": VALID},
        "TRACEPARENT": VALID,
        "traceparent": VALID,
    });
    let places: Vec<_> = valid(&headers).into_iter().map(|(at, place, ..)| (at, place)).collect();
    let carrier = Place::Carrier("ctx".into());
    assert_eq!(
        places,
        [
            ("headers.traceparent".to_owned(), Place::Header),
            ("headers.TRACEPARENT".to_owned(), Place::HeaderInOtherCase),
            ("headers.headers.traceparent".to_owned(), Place::NestedHeaders),
            ("headers.ctx.b3".to_owned(), carrier.clone()),
            ("headers.ctx.traceparent".to_owned(), carrier),
        ]
    );
}

#[test]
fn a_value_under_the_right_name_is_malformed_and_others_are_none() {
    let flaw = |value: Value| {
        let found = search(&json!({"traceparent": value})).contexts.remove(0);
        found.reading.expect_err("malformed").kind
    };
    assert_eq!(flaw(json!(VALID.to_uppercase())), FlawKind::UpperCase);
    for no_text in [json!(7), json!(false), json!({"traceparent": VALID}), json!([VALID, VALID, [VALID]])] {
        assert_eq!(flaw(no_text), FlawKind::NotText);
    }
    assert_eq!(flaw(json!([VALID, VALID])), FlawKind::Doubled);
    // The instrumentor's getter takes the first of a list.
    assert_eq!(valid(&json!({"traceparent": [VALID]})).len(), 1);
    // Not W3C's: a null, another name, a cell of the application's table.
    for none in [
        json!({"traceparent": null}),
        json!({"request_id": VALID.to_uppercase()}),
        json!({"cells": {"b3": 7}}),
        json!({"b3": "0"}),
    ] {
        assert_eq!(search(&none).contexts, [], "{none}");
        assert_eq!(search(&none).others.len(), 1, "{none}");
    }
}

#[test]
fn only_what_is_called_a_carrier_is_an_empty_one() {
    for (empty, at, text) in [
        (json!({"trace_context": "{}"}), "headers.trace_context", "\"{}\""),
        (json!({"traceContext": {}}), "headers.traceContext", "{}"),
        (json!({"otel-carrier": []}), "headers.otel-carrier", "[]"),
        (json!({"traceparent": ""}), "headers.traceparent", "\"\""),
        (json!({"headers": {"trace_context": ""}}), "headers.headers.trace_context", "\"\""),
    ] {
        let expected = EmptyCarrier { at: at.into(), text: text.into() };
        assert_eq!(search(&empty).empty_carriers, [expected], "{empty}");
    }
    for other in ["meta", "context", "trace_id", "stacktrace", "tenant", "traceback"] {
        assert_eq!(search(&json!({other: ""})).empty_carriers, [], "{other}");
        assert_eq!(search(&json!({other: ""})).others, [Box::from(other)], "{other}");
    }
    assert_eq!(search(&json!({"carrier": "", "sentry-trace": ""})).empty_carriers, []);
}

#[test]
fn baggage_gives_its_keys_and_keeps_its_values() {
    let found = search(&json!({"baggage": "user.id=4711;p=1, sentry-release=1 ,tier=gold"}));
    assert_eq!(found.baggage, [Box::from("user.id"), Box::from("tier")]);
    assert!(!format!("{found:?}").contains("4711"));
}

#[test]
fn arguments_are_looked_through_to_a_limit() {
    let mut search = ContextSearch::default();
    search.arguments(&json!(["o1", {"meta": [{"carrier": {"traceparent": VALID}}]}, VALID]), "args");
    let at: Vec<_> = search.contexts.iter().map(|found| &*found.at).collect();
    assert_eq!(at, ["body.args[1].meta[0].carrier.traceparent", "body.args[2]"]);

    let deep = (0..100).fold(json!({"traceparent": VALID}), |inner, _| json!({"k": inner}));
    let wide = Value::Array(vec![json!({"traceparent": VALID}); 20_000]);
    for (arguments, expected) in [(deep, 0), (wide, ContextSearch::CONTEXTS)] {
        let mut search = ContextSearch::default();
        search.arguments(&arguments, "kwargs");
        assert_eq!(search.contexts.len(), expected);
    }
}

#[test]
fn a_repr_shows_what_an_unreadable_body_holds() {
    let mut search = ContextSearch::default();
    search.repr(&format!("{{'note': \"it's\", 'carrier': {{'traceparent': '{VALID}'}}}}"), "kwargsrepr");
    let found = search.contexts.remove(0);
    assert_eq!((&*found.at, found.place), ("headers.kwargsrepr.traceparent", Place::Body));
    assert!(found.reading.is_ok());
}

#[test]
fn what_is_kept_is_bounded() {
    let long = "é".repeat(10_000);
    let headers: Map<_, _> = (0..1000)
        .flat_map(|n| {
            [(format!("trace_context_{n}"), json!("")), (format!("ctx{n}"), json!({"traceparent": long}))]
        })
        .collect();
    let found = search(&Value::Object(headers));
    assert_eq!(found.contexts.len(), ContextSearch::CONTEXTS);
    assert_eq!(found.empty_carriers.len(), ContextSearch::NAMES);
    assert!(found.others.len() <= ContextSearch::NAMES);
    for carried in &found.contexts {
        assert!(carried.text.len() <= CarriedContext::TEXT_LIMIT);
        for mark in &carried.reading.as_ref().expect_err("not a traceparent").marks {
            assert!(carried.text.is_char_boundary(mark.start) && carried.text.is_char_boundary(mark.end));
        }
    }
}

#[test]
fn ids_of_an_applications_own_are_found_in_any_shape() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";
    let number = u128::from_str_radix(TRACE, 16).expect("digits").to_string();
    let span = u64::from_str_radix(SPAN, 16).expect("digits");
    let link = json!({"links": [{"context": {"trace_id": number, "span_id": span, "trace_flags": 1}}]});
    for arguments in [
        json!({"telemetry_context": link}),
        json!({"trace_id": TRACE, "span_id": SPAN}),
        json!([TRACE, SPAN]),
        json!([{"order": 7}, [number, span]]),
        json!([format!("{TRACE}:{SPAN}")]),
        json!([json!({"trace_id": TRACE, "span_id": SPAN}).to_string()]),
    ] {
        let mut search = ContextSearch::default();
        search.arguments(&arguments, "kwargs");
        let [found] = &search.contexts[..] else { panic!("{arguments}: {:?}", search.contexts) };
        assert_eq!((found.format, &found.place), (ContextFormat::Ids, &Place::Body), "{arguments}");
        let context = found.context().expect("valid");
        assert_eq!(context.trace_id.to_string(), TRACE, "{arguments}");
        assert_eq!(context.span_id.to_string(), SPAN, "{arguments}");
    }
    assert_eq!(valid(&json!({"trace_id": TRACE, "span_id": SPAN})).len(), 1);
}

/// Regression: only contexts under their own names were kept.
#[test]
fn of_a_repr_is_kept_what_is_found_in_it() {
    let json = format!(r#"{{"traceparent": "{VALID}", "who": "bob"}}"#);
    for repr in [
        format!("{{'who': 'bob', 'traceparent': '{VALID}'}}"),
        format!("{{'who': 'bob', 'trace_context': '{json}'}}"),
        format!("['bob', {{'ctx': \"{{'traceparent': '{VALID}', 'who': 'bob'}}\"}}]"),
        format!("{{\"o'c\": \"{{'traceparent': '{VALID}', 'who': 'bob'}}\"}}"),
        format!("{{'trace_id': '{}', 'span_id': '{}', 'who': 'bob'}}", &VALID[3..35], &VALID[36..52]),
    ] {
        let (found, kept) = (of_repr(&repr).0, of_repr(&repr).1.expect("it holds one"));
        assert!(!kept.contains("bob"), "{kept}");
        assert_eq!(found.len(), 1, "{repr}");
        assert_eq!(of_repr(&kept).0, found, "{repr}: {kept}");
    }
}

fn of_repr(repr: &str) -> (Vec<CarriedContext>, Option<String>) {
    let mut search = ContextSearch::keeping();
    let kept = search.repr(repr, "kwargsrepr");
    (search.contexts, kept)
}

/// Everything that a search of headers notes, and what it keeps of them.
fn kept(headers: &[(String, Value)]) -> (String, Vec<(String, Value)>) {
    let mut search = ContextSearch::keeping();
    let kept = search.headers(headers.iter().map(|(name, value)| (name.as_str(), value)));
    let ContextSearch { contexts, empty_carriers, baggage, others, .. } = search;
    (format!("{contexts:?} {empty_carriers:?} {baggage:?} {others:?}"), kept)
}

/// Regressions: each was kept so that another search found more or less in it.
#[test]
fn what_is_kept_is_found_again_and_nothing_else_is() {
    let carrier = json!({"traceparent": VALID, "who": "bob"});
    let repr = format!("{{'traceparent': '{VALID}', 'who': 'bob'}}");
    let wrapped =
        |value: &Value, times: usize| (0..times).fold(value.clone(), |value, _| json!(value.to_string()));
    let bytes = |value: &Value| json!({"__type__": "bytes", "__value__": value.to_string(), "who": "bob"});
    for value in [
        wrapped(&carrier, 1),
        wrapped(&carrier, 2),
        wrapped(&json!({"ctx": wrapped(&json!({"ctx": wrapped(&carrier, 2)}), 2)}), 2),
        json!({"a": {"b": {"c": {"d": carrier}}}}),
        bytes(&carrier),
        bytes(&json!({"ctx": bytes(&carrier)})),
        json!(format!("{{'ctx': {{'__type__': 'bytes', '__value__': \"{repr}\"}}}}")),
        json!(format!(r#"{{"ctx": "{repr}", 'o\'c': 'bob'}}"#)),
        json!(["bob", carrier, "bob", [["traceparent", VALID], ["who", "bob"]]]),
        json!([["span_id", "00f067aa0ba902b7"], ["trace_id", &VALID[3..35]], ["who", "bob"]]),
        json!([["bob", carrier], 7]),
        json!({"trace_id": &VALID[3..35], "span_id": "00f067aa0ba902b7", "trace_flags": "01", "flags": "bob"}),
        json!({"trace_id": &VALID[3..35], "span_id": "00f067aa0ba902b7", "trace_flags": "bob", "flags": 1}),
        json!({"ctx": {}, "trace_context": {}, "who": "bob"}),
        json!({"baggage": "who=bob", "b3": "0"}),
        json!({"b3": {"who": "bob"}, "traceparent": {"who": "bob"}}),
        json!({"o'c": {"traceparent": VALID}}),
        wrapped(&json!({"o'c": {"traceparent": VALID}}), 1),
    ] {
        for name in ["headers", "trace_context", "note"] {
            let (noted, all) = kept(&[(name.to_owned(), value.clone())]);
            assert!(!json!(all).to_string().contains("bob"), "{value}: {all:?}");
            assert_eq!(kept(&all), (noted, all.clone()), "{value}");
        }
    }
}

//! What OTLP says of a request's content, over each transport: ids and their
//! lengths, enums, flags, the same span twice, metrics and logs.

use std::io::{Read, Write};
use std::net::TcpStream;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value::StringValue;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::listener::Listener;

const START: u64 = 1_795_376_994_000_000_000;

/// Posts, and returns the body of an answer that is a success.
fn post(listener: &Listener, path: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", listener.http)).expect("it listens");
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    answer.split_off(end + 4)
}

fn post_json(listener: &Listener, spans: Value) -> Value {
    let body = json!({"resourceSpans": [{"resource": null, "scopeSpans": [{"spans": spans}]}]}).to_string();
    serde_json::from_slice(&post(listener, "/v1/traces", "application/json", body.as_bytes())).expect("JSON")
}

fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let value = Some(AnyValue { value: Some(StringValue("order-api".to_owned())) });
    let name = KeyValue { key: "service.name".to_owned(), value, ..KeyValue::default() };
    let resource = Some(Resource { attributes: vec![name], ..Resource::default() });
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }],
    }
}

/// The same request over HTTP and over gRPC: both say the same of it.
fn send_protobuf(listener: &Listener, spans: Vec<Span>) -> Vec<Option<ExportTracePartialSuccess>> {
    let request = request(spans);
    let body = post(listener, "/v1/traces", "application/x-protobuf", &request.encode_to_vec());
    let over_http = ExportTraceServiceResponse::decode(&*body).expect("protobuf");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let over_grpc = runtime.block_on(async {
        let address = format!("http://127.0.0.1:{}", listener.grpc);
        let mut client = TraceServiceClient::connect(address).await.expect("it listens");
        client.export(request).await.expect("it is a success").into_inner()
    });
    vec![over_http.partial_success, over_grpc.partial_success]
}

fn span(trace: &[u8], id: &[u8], parent: &[u8], name: &str) -> Span {
    Span {
        trace_id: trace.to_vec(),
        span_id: id.to_vec(),
        parent_span_id: parent.to_vec(),
        name: name.to_owned(),
        kind: 2,
        start_time_unix_nano: START,
        end_time_unix_nano: START + 1_000_000,
        ..Span::default()
    }
}

fn report(listener: Listener) -> Value {
    listener.signal(Signal::INT);
    listener.wait().report()
}

#[test]
fn line_8_json_ids_are_hex_in_either_case_and_oddities_are_understood_and_told() {
    let listener = Listener::start(&[]);
    let right = post_json(
        &listener,
        json!([
            {"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": "lower", "kind": 2,
             "startTimeUnixNano": START.to_string(), "endTimeUnixNano": START + 5_000_000, "unknown": {"is": ["fine"]}},
            {"traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B175", "parentSpanId": "EEE19B7EC3C1B174",
             "name": "upper", "kind": 1, "startTimeUnixNano": START, "endTimeUnixNano": (START + 1).to_string()},
        ]),
    );
    assert_eq!(right, json!({}), "nothing is to be said of what is right");
    let odd = post_json(
        &listener,
        json!([
            {"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b176", "parentSpanId": "eee19b7ec3c1b174",
             "name": "odd", "kind": "SPAN_KIND_CLIENT", "flags": "257", "links": null, "events": null, "attributes": null,
             "startTimeUnixNano": START, "endTimeUnixNano": START + 1},
        ]),
    );
    let told = odd["partialSuccess"]["errorMessage"].as_str().unwrap_or_default();
    assert!(told.contains("not as OTLP specifies"), "{odd}");
    let rejected = &odd["partialSuccess"]["rejectedSpans"];
    assert!(rejected.is_null() || rejected == "0", "a warning rejects nothing: {odd}");

    let report = report(listener);
    assert_eq!(
        (&report["inputs"]["traces"], &report["inputs"]["spans"]),
        (&json!(1), &json!(3)),
        "{report:#}"
    );
    let spans = report["traces"][0]["spans"].as_array().expect("a list");
    let kinds: Vec<_> = spans.iter().map(|span| (&span["name"], &span["kind"], &span["parent_id"])).collect();
    let root = json!("eee19b7ec3c1b174");
    assert!(kinds.contains(&(&json!("upper"), &json!("internal"), &root)), "{kinds:?}");
    assert!(kinds.contains(&(&json!("odd"), &json!("client"), &root)), "{kinds:?}");
    assert_eq!(report["limits"]["rejected_spans"], 0);
}

#[test]
fn line_9_ids_that_are_none_are_counted_and_the_rest_is_kept() {
    let listener = Listener::start(&[]);
    let (trace, id) = ([7; 16], [8; 8]);
    let answers = send_protobuf(
        &listener,
        vec![
            span(&trace, &id, &[], "good"),
            span(&[7; 15], &id, &[], "short trace id"),
            span(&[0; 16], &id, &[], "zero trace id"),
            span(&[], &id, &[], "no trace id"),
            span(&trace, &[8; 9], &[], "long span id"),
            span(&trace, &[0; 8], &[], "zero span id"),
            span(&trace, &[9; 8], &id, "good too"),
        ],
    );
    for partial in answers {
        let partial = partial.expect("a partial success");
        assert_eq!(partial.rejected_spans, 5, "{partial:?}");
        assert!(partial.error_message.contains("all zero or of a wrong length"), "{partial:?}");
    }
    let hex = |byte: &str, count| byte.repeat(count);
    let partly = post_json(
        &listener,
        json!([
            {"traceId": hex("07", 16), "spanId": hex("0a", 8), "parentSpanId": hex("08", 8), "name": "good three",
             "startTimeUnixNano": START, "endTimeUnixNano": START + 1},
            {"traceId": hex("07", 4), "spanId": hex("0a", 8), "name": "short"},
            {"traceId": hex("07", 16), "spanId": hex("00", 8), "name": "zero"},
            {"traceId": "BwcHBwcHBwcHBwcHBwcHBw==", "spanId": hex("0a", 8), "name": "Base64"},
            {"name": "nothing"},
        ]),
    );
    assert_eq!(partly["partialSuccess"]["rejectedSpans"], "4", "{partly}");

    let report = report(listener);
    assert_eq!(report["inputs"]["spans"], 3, "{report:#}");
    assert_eq!(report["limits"]["rejected_spans"], 14);
    let findings = report["findings"].as_array().expect("a list");
    let ids: Vec<_> = findings.iter().map(|finding| finding["id"].as_str().unwrap_or_default()).collect();
    assert!(ids.contains(&"invalid-span:trace-id") && ids.contains(&"invalid-span:span-id"), "{ids:?}");
}

#[test]
fn lines_10_and_11_high_flags_and_a_resend_are_nothing_to_speak_of() {
    let listener = Listener::start(&[]);
    let (trace, id) = ([7; 16], [8; 8]);
    let flagged = |span: Span, flags| Span { flags, ..span };
    let spans = vec![
        flagged(span(&trace, &id, &[], "POST /orders"), 0x101),
        flagged(span(&trace, &[9; 8], &id, "local"), 0xffff_fd01),
        flagged(span(&trace, &[10; 8], &id, "remote"), 0xffff_ff01),
    ];
    // Each of them four times, twice over each transport.
    for _ in 0..2 {
        assert_eq!(send_protobuf(&listener, spans.clone()), [None, None]);
    }
    let report = report(listener);
    assert_eq!(report["inputs"]["requests"], 4);
    assert_eq!(
        (&report["inputs"]["spans"], &report["inputs"]["traces"]),
        (&json!(3), &json!(1)),
        "{report:#}"
    );
    assert_eq!(report["findings"], json!([]), "{report:#}");
    // Nothing is wrong, and no hand-off was seen.
    assert_eq!(report["verdict"]["status"], "unproven");
}

#[test]
fn line_12_metrics_and_logs_are_counted_and_never_an_error() {
    let listener = Listener::start(&[]);
    let metrics = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [
        {"name": "a", "gauge": {"dataPoints": [{"asInt": "1"}, {"asInt": "2"}]}},
        {"name": "b", "sum": {"dataPoints": [{"asDouble": 1.5}]}},
    ]}]}]});
    let logs =
        json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "a"}}, {}]}]}]});
    for (path, body) in [("/v1/metrics", metrics), ("/v1/logs", logs)] {
        let answer = post(&listener, path, "application/json", body.to_string().as_bytes());
        assert_eq!(answer, b"{}", "{path}");
        assert_eq!(post(&listener, path, "application/x-protobuf", b""), b"", "{path}");
    }
    let report = report(listener);
    assert_eq!(
        (&report["inputs"]["metrics"], &report["inputs"]["logs"]),
        (&json!(3), &json!(2)),
        "{report:#}"
    );
}

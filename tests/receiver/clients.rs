//! The ports with the clients that people have: the OpenTelemetry SDKs of Python
//! and JavaScript, gRPC's own client for Python, and `requests`.

use std::io::Write;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tracelink::evidence::Outcome;
use tracelink::model::{Invalid, ParentOrigin, Resource, Scope, Span, SpanStatus};
use tracelink::receiver::{Budget, OtlpEncoding, Receipt, Refusal, Signal, Transport};
use tracelink::wire::otlp::{
    Sink, count_logs_protobuf, count_metrics_protobuf, decode_json, decode_protobuf,
};

use super::inbox::{House, connect};
use crate::support::{node, python};

/// The spans of a request, as a client's script tells its own.
#[derive(Default)]
struct Read {
    service: String,
    scope: String,
    spans: Vec<Value>,
}

impl Sink for Read {
    fn resource(&mut self, resource: &Resource<'_>) {
        self.service = format!("{} {:?}", resource.service, resource.instance.as_deref());
    }

    fn scope(&mut self, scope: &Scope<'_>) {
        self.scope = format!("{} {}", scope.name, scope.version);
    }

    fn span(&mut self, span: &Span<'_>) {
        self.spans.push(json!({
            "trace": span.trace_id.to_string(),
            "span": span.span_id.to_string(),
            "parent": span.parent_id.map(|parent| parent.to_string()),
            "remote": span.parent_origin == ParentOrigin::Remote,
            "kind": span.kind.label(),
            "name": span.name,
            "start": span.start.as_nanos().to_string(),
            "end": span.end.as_nanos().to_string(),
            "error": span.status == SpanStatus::Error,
        }));
    }

    fn refused(&mut self, why: Invalid, at: &str) {
        panic!("{at}: {why:?}");
    }
}

impl Read {
    fn of(encoding: OtlpEncoding, body: &[u8]) -> Self {
        let mut read = Self::default();
        let counts = match encoding {
            OtlpEncoding::Protobuf => decode_protobuf(body, &mut read),
            OtlpEncoding::Json => decode_json(body, &mut read),
        };
        let counts = counts.expect("an SDK sent it");
        assert_eq!((counts.refused, counts.lenient), (0, 0), "an SDK speaks OTLP");
        read
    }
}

fn sdk(protocol: &str, compression: &str, port: u16) -> Value {
    client(&["sdk", protocol, compression, &port.to_string()])
}

fn client(args: &[&str]) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/otlp_clients.py");
    let output = Command::new(python::stack()).arg(script).args(args).output().expect("Python runs");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn the_python_sdk_is_understood_over_both_transports_with_and_without_gzip() {
    let house = House::open();
    for (protocol, transport, address) in
        [("grpc", Transport::Grpc, house.grpc), ("http", Transport::Http, house.http)]
    {
        for compression in ["none", "gzip"] {
            for port in [address.port(), house.both.port()] {
                let said = sdk(protocol, compression, port);
                assert_eq!(said["results"], json!(["SUCCESS"]), "{protocol} {compression}: {said:#}");
                assert_eq!(said["complaints"], json!([]), "{protocol} {compression}");
                let (_, encoding, came, body) = house.book.told().taken.pop().expect("taken");
                assert_eq!((encoding, came), (OtlpEncoding::Protobuf, transport));
                let read = Read::of(encoding, &body);
                assert_eq!(Value::Array(read.spans), said["spans"], "{protocol} {compression}");
                assert_eq!(read.service, "py-client Some(\"py-1\")");
                assert_eq!(read.scope, "tracelink-test 1.2.3");
            }
        }
    }
    assert!(house.book.told().taken.is_empty(), "each of them sent once");
    house.receiver.close(Duration::from_secs(5));
}

#[test]
fn the_javascript_sdk_is_understood_in_json() {
    let house = House::open();
    for compression in ["none", "gzip"] {
        let url = format!("http://{}/v1/traces", house.http);
        let said: Value =
            serde_json::from_str(&node::script("export.js", &[&url, compression])).expect("JSON");
        assert_eq!(said["results"], json!([0]), "{compression}: {said:#}");
        assert_eq!(said["complaints"], json!([]), "{compression}");
        let (_, encoding, came, body) = house.book.told().taken.pop().expect("taken");
        assert_eq!((encoding, came), (OtlpEncoding::Json, Transport::Http));
        let read = Read::of(encoding, &body);
        assert_eq!(read.spans.len(), 5);
        assert_eq!(Value::Array(read.spans), said["spans"], "{compression}");
        assert_eq!(read.service, "js-client Some(\"js-1\")");
        assert_eq!(read.scope, "tracelink-test 1.2.3");
    }
    house.receiver.close(Duration::from_secs(5));
}

#[test]
fn an_sdk_that_is_told_to_wait_sends_again_and_one_that_is_refused_does_not() {
    let house = House::open();
    let script = |answer| house.book.told().script.push_back(answer);
    for (protocol, port) in [("grpc", house.grpc.port()), ("http", house.http.port())] {
        let busy = || Err(Refusal::Busy { retry_after: Duration::from_secs(1) });
        script(busy());
        script(busy());
        let said = sdk(protocol, "none", port);
        assert_eq!(said["results"], json!(["SUCCESS"]), "{protocol}: {said:#}");
        let taken = std::mem::take(&mut house.book.told().taken);
        assert_eq!(taken.len(), 3, "{protocol}");
        assert!(taken.iter().all(|one| one.3 == taken[0].3), "{protocol}: each time the same");

        script(Err(Refusal::Malformed("the first byte is odd".to_owned())));
        let said = sdk(protocol, "none", port);
        assert_eq!(said["results"], json!(["FAILURE"]), "{protocol}: {said:#}");
        assert!(!said["complaints"].as_array().expect("a list").is_empty(), "{protocol}: {said:#}");
        assert_eq!(std::mem::take(&mut house.book.told().taken).len(), 1, "{protocol}");

        script(Ok(Receipt { rejected: 2, message: "two ids are zero".to_owned() }));
        let said = sdk(protocol, "none", port);
        assert_eq!(said["results"], json!(["SUCCESS"]), "{protocol}: {said:#}");
        assert_eq!(std::mem::take(&mut house.book.told().taken).len(), 1, "{protocol}");
    }
    let url = format!("http://{}/v1/traces", house.http);
    script(Err(Refusal::Busy { retry_after: Duration::from_secs(1) }));
    let said: Value = serde_json::from_str(&node::script("export.js", &[&url, "none"])).expect("JSON");
    assert_eq!(said["results"], json!([0]), "{said:#}");
    assert_eq!(std::mem::take(&mut house.book.told().taken).len(), 2);
    house.receiver.close(Duration::from_secs(5));
}

/// Memory that is full is a matter of time: a real SDK waits, and loses nothing.
#[test]
fn an_sdk_that_meets_a_full_receiver_loses_nothing() {
    const EACH: usize = 9000;
    const CLIENTS: usize = 10;
    // What a request takes besides its bytes.
    const HELD: usize = CLIENTS * (EACH + (8 << 10));
    // What is left over is less than any request of the SDK.
    let house = House::with(|limits| {
        limits.bodies = Arc::new(Budget::new(HELD + 500));
        // The slow are not let go before the SDK has started, which is a minute at worst.
        limits.timeout = Duration::from_mins(2);
        limits.stalled_after = Duration::from_mins(2);
    });
    for (number, (protocol, port)) in
        [("grpc", house.grpc.port()), ("http", house.http.port())].into_iter().enumerate()
    {
        // Others hold the rest, until the SDK was told to wait.
        let slow: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let head = "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n";
                let head = format!("{head}content-length: {}\r\n\r\n", EACH + 1);
                let mut stream = connect(house.http);
                stream.write_all(&[head.as_bytes(), &[b' '; EACH]].concat()).expect("it reads");
                stream
            })
            .collect();
        house.wait_for_bytes(HELD);
        let exporter = std::thread::spawn(move || sdk(protocol, "none", port));
        house.book.wait(Outcome::Busy, number + 1);
        drop(slow);
        let said = exporter.join().expect("no panic");
        assert_eq!(said["results"], json!(["SUCCESS"]), "{protocol}: {said:#}");
        let (_, encoding, _, body) = house.book.told().taken.pop().expect("taken");
        assert_eq!(Value::Array(Read::of(encoding, &body).spans), said["spans"], "{protocol}");
        assert!(house.book.told().taken.is_empty(), "{protocol}: once");
    }
    assert_eq!(house.budget.used(), 0);
    house.receiver.close(Duration::from_secs(5));
}

#[test]
fn the_python_sdk_s_metrics_and_logs_are_taken_over_both_transports() {
    let house = House::open();
    for (protocol, transport, port) in
        [("grpc", Transport::Grpc, house.grpc.port()), ("http", Transport::Http, house.http.port())]
    {
        let said = client(&["signals", protocol, &port.to_string()]);
        assert_eq!(said, json!({"metrics": "SUCCESS", "logs": "SUCCESS", "complaints": []}), "{protocol}");
        let taken = std::mem::take(&mut house.book.told().taken);
        let counts: Vec<_> = taken
            .iter()
            .map(|(signal, encoding, came, body)| {
                assert_eq!((*encoding, *came), (OtlpEncoding::Protobuf, transport));
                let count =
                    if *signal == Signal::Metrics { count_metrics_protobuf } else { count_logs_protobuf };
                (*signal, count(body).expect("an SDK sent it"))
            })
            .collect();
        // A counter with two sets of attributes, and one record.
        assert_eq!(counts, [(Signal::Metrics, 2), (Signal::Logs, 1)], "{protocol}");
    }
    house.receiver.close(Duration::from_secs(5));
}

#[test]
fn grpc_s_own_client_reads_every_answer() {
    let house = House::with(|limits| limits.request = 1 << 20);
    let said = client(&["grpcio", &house.grpc.port().to_string()]);
    for name in ["empty", "gzip", "deflate"] {
        assert_eq!(said[name], json!({"code": "OK", "answer": ""}), "{name}");
    }
    // partial_success { rejected: 3, message: "three ids are zero" }
    let partly = said["partly"]["answer"].as_str().expect("an answer");
    assert!(partly.starts_with("0a160803"), "{partly}");
    assert_eq!(said["malformed"], json!({"code": "INVALID_ARGUMENT", "message": "broken JSON at line 1"}));
    assert_eq!(said["busy"]["code"], "UNAVAILABLE");
    let details = &said["busy"]["details"];
    assert_eq!(details["code"], 14, "{details}");
    assert_eq!(
        details["details"],
        json!([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.500s"}])
    );
    // Where Python's exporter looks for it.
    assert_eq!(said["busy"]["retry_info"], 1500);
    for name in ["too-large", "too-large-unpacked"] {
        assert_eq!(said[name]["code"], "RESOURCE_EXHAUSTED", "{name}: {}", said[name]);
        assert!(said[name].get("details").is_none() && said[name].get("retry_info").is_none(), "{name}");
    }
    assert_eq!(said["unknown-method"]["code"], "UNIMPLEMENTED");
    let message = said["unknown-method"]["message"].as_str().expect("a message");
    assert!(message.contains("/opentelemetry.proto.Nothing/Export"), "{message}");
    house.book.wait(Outcome::TooLarge, 2);
    assert_eq!(house.budget.used(), 0);
    house.receiver.close(Duration::from_secs(5));
}

#[test]
fn every_refusal_over_http_is_a_status_in_the_request_s_own_type() {
    let house = House::with(|limits| limits.request = 1 << 20);
    let said = client(&["requests", &house.http.port().to_string()]);
    for (kind, empty) in [("application/x-protobuf", ""), ("application/json", "7b7d")] {
        let answers = &said[kind];
        for name in ["empty", "gzip"] {
            assert_eq!(answers[name], json!({"status": 200, "type": kind, "body": empty}), "{name}");
        }
        assert_eq!(answers["partly"]["status"], 200);
        // The code of google.rpc.Code, and a part of the message.
        for (name, status, code, message) in [
            ("malformed", 400, 3, "broken JSON at line 1"),
            ("malformed-gzip", 400, 3, "gzip"),
            ("cut-gzip", 400, 3, "gzip"),
            ("too-large", 413, 8, "at most 1048576 bytes"),
            ("too-large-unpacked", 413, 8, "at most 1048576 bytes"),
            ("busy", 429, 14, "send it again"),
            ("unknown-encoding", 415, 12, "`br` is not understood"),
            ("unknown-path", 404, 12, "/v1/traces"),
        ] {
            let answer = &answers[name];
            assert_eq!(answer["status"], status, "{kind} {name}: {answer}");
            assert_eq!(answer["type"], kind, "{name}");
            assert_eq!(answer["details"]["code"], code, "{kind} {name}: {answer}");
            let told = answer["details"]["message"].as_str().unwrap_or_default();
            assert!(told.contains(message), "{kind} {name}: {answer}");
            assert_eq!(answer.get("retry-after").is_some(), name == "busy", "{kind} {name}: {answer}");
        }
        assert_eq!(answers["busy"]["retry-after"], "2");
        let wait = &answers["busy"]["details"]["details"][0];
        assert_eq!(wait["retryDelay"], "1.500s", "{wait}");
    }
    let answer = &said["unknown-type"];
    assert_eq!(
        (answer["status"].as_u64(), answer["details"]["code"].as_u64()),
        (Some(415), Some(3)),
        "{answer}"
    );
    house.receiver.close(Duration::from_secs(5));
}

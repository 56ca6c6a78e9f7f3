//! How it ends: by a signal, by time, by silence, and by what it was given.

use std::net::TcpListener;
use std::process::Command;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use rustix::process::Signal;

use super::listener::Listener;
use super::replay::{case, requests};

#[test]
fn a_signal_ends_it_with_the_report_and_the_verdict() {
    for signal in [Signal::INT, Signal::TERM] {
        let listener = Listener::start(&[]);
        listener.send_json(&requests(&case("propagator_api_b3multi_worker_w3c")));
        listener.signal(signal);
        let ended = listener.wait();
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert_eq!(ended.report()["verdict"]["slug"], "propagator-mismatch");
    }
}

#[test]
fn what_was_acknowledged_is_in_the_report() {
    let listener = Listener::start(&[]);
    listener.send_json(&requests(&case("healthy_auto")));
    // Not a moment between the last answer and the end.
    listener.signal(Signal::INT);
    let report = listener.wait().report();
    assert_eq!(report["inputs"]["spans"], 10, "{report}");
}

/// Four exporters that go on over gRPC while it ends: each span that one of them
/// was told is taken is in the report.
#[test]
fn what_was_acknowledged_over_grpc_in_the_middle_of_the_end_is_in_the_report() {
    const EXPORTERS: u8 = 4;
    const SOME: usize = 100;
    let listener = Listener::start(&[]);
    let address = format!("http://127.0.0.1:{}", listener.grpc);
    let (tell, told) = std::sync::mpsc::channel();
    let exporters: Vec<_> = (1..=EXPORTERS)
        .map(|exporter| {
            let (address, tell) = (address.clone(), tell.clone());
            std::thread::spawn(move || {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(async {
                    let mut client = TraceServiceClient::connect(address).await.expect("it listens");
                    for number in 1_u64.. {
                        let span = Span {
                            trace_id: vec![exporter; 16],
                            span_id: number.to_be_bytes().to_vec(),
                            name: "GET /".to_owned(),
                            start_time_unix_nano: 1_795_376_994_000_000_000,
                            end_time_unix_nano: 1_795_376_994_000_000_001,
                            ..Span::default()
                        };
                        let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
                        let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
                        if client.export(ExportTraceServiceRequest { resource_spans }).await.is_err() {
                            return;
                        }
                        tell.send(()).expect("it is counted");
                    }
                });
            })
        })
        .collect();
    drop(tell);
    (0..SOME).for_each(|_| told.recv().expect("it goes on"));
    listener.signal(Signal::INT);
    exporters.into_iter().for_each(|exporter| exporter.join().expect("no panic"));
    let acknowledged = SOME + told.iter().count();
    let report = listener.wait().report();
    let spans = report["inputs"]["spans"].as_u64().and_then(|spans| usize::try_from(spans).ok());
    assert!(spans.is_some_and(|spans| spans >= acknowledged), "{acknowledged} of {spans:?}");
}

#[test]
fn nothing_received_is_no_evidence_and_says_what_to_check() {
    let folder = tempfile::tempdir().expect("a folder");
    let bundle = folder.path().join("bundle");
    let bundle = bundle.to_str().expect("UTF-8");
    let ended = Listener::start(&["--for", "300ms", "--save", bundle]).wait();
    assert_eq!(ended.code, Some(3));
    let report = ended.report();
    assert_eq!(report["verdict"]["status"], "no-evidence");
    assert_eq!(report["findings"][0]["slug"], "nothing-received");
    let fix = report["findings"][0]["fix"][0].as_str().expect("a fix");
    assert!(fix.starts_with("OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:"), "{fix}");

    let again = Command::new(env!("CARGO_BIN_EXE_tracelink"))
        .args(["diagnose", "--format", "json", bundle])
        .output()
        .expect("tracelink runs");
    assert_eq!(again.status.code(), Some(3));
    let again: serde_json::Value = serde_json::from_slice(&again.stdout).expect("a report");
    assert_eq!((&again["verdict"], &again["findings"]), (&report["verdict"], &report["findings"]));
}

#[test]
fn a_port_in_use_is_named_with_the_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_tracelink"))
        .args(["listen", "--http", &port, "--grpc", "0"])
        .output()
        .expect("tracelink runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{error}");
    assert!(error.contains(&port) && error.contains("--http"), "{error}");
}

#[test]
fn a_stream_of_events_ends_with_the_report() {
    let listener = Listener::start(&["--format", "jsonl", "--settle", "200ms", "--idle", "1s"]);
    listener.send_json(&requests(&case("propagator_api_b3multi_worker_w3c")));
    listener.send_json(&requests(&case("healthy_auto")));
    let ended = listener.wait();
    let events: Vec<serde_json::Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let kinds: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap_or_default()).collect();
    assert_eq!(kinds.last(), Some(&"report"));
    assert!(kinds.contains(&"trace") && kinds.contains(&"finding"), "{kinds:?}");
    let told = kinds.iter().filter(|kind| **kind == "finding").count();
    let findings = events.last().and_then(|last| last["report"]["findings"].as_array()).map(Vec::len);
    assert_eq!(Some(told), findings, "each cause is told once: {kinds:?}");
}

//! How it ends: by a signal, by time, by silence, and by what it was given.

#![allow(clippy::disallowed_methods, reason = "a test measures what it waited")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use rustix::process::Signal;

use super::listener::Listener;
use super::replay::{case, requests};
use crate::support::redis::RedisServer;

#[test]
fn a_signal_ends_it_with_the_report_and_the_verdict() {
    for signal in [Signal::INT, Signal::TERM] {
        let listener = Listener::start(&["--settle", "300ms"]);
        listener.send_json(&requests(&case("propagator_api_b3multi_worker_w3c")));
        std::thread::sleep(Duration::from_millis(500));
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
    let fixes = report["findings"][0]["fixes"].to_string();
    assert!(fixes.contains("http://127.0.0.1:"), "{fixes}");

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

/// A way to a Redis on which, once it is told to, an answer drips that never ends.
struct Drip {
    url: String,
    begins: Arc<AtomicBool>,
}

impl Drip {
    fn over(redis: u16) -> Self {
        let door = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("redis://{}", door.local_addr().expect("it listens"));
        let begins = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&begins);
        std::thread::spawn(move || {
            for client in door.incoming().map_while(Result::ok) {
                let mut redis = TcpStream::connect(("127.0.0.1", redis)).expect("it runs");
                let (mut asks, mut asked) =
                    (client.try_clone().expect("a socket"), redis.try_clone().expect("a socket"));
                let (mut client, told) = (client, Arc::clone(&told));
                std::thread::spawn(move || std::io::copy(&mut asks, &mut asked));
                std::thread::spawn(move || {
                    let mut bytes = [0; 4096];
                    while let Ok(count @ 1..) = redis.read(&mut bytes) {
                        if told.load(Ordering::Relaxed) {
                            break;
                        }
                        let _ = client.write_all(&bytes[..count]);
                    }
                    let mut written = client.write_all(b"$200000000\r\n");
                    while written.is_ok() {
                        written = client.write_all(&[b'x'; 16 << 10]);
                        std::thread::sleep(Duration::from_millis(100));
                    }
                });
            }
        });
        Self { url, begins }
    }
}

#[test]
fn a_broker_that_drips_at_the_end_is_not_waited_for() {
    let redis = RedisServer::start();
    let drip = Drip::over(redis.port);
    let listener = Listener::start(&["--broker", &drip.url]);
    listener.send_json(&requests(&case("healthy_auto")));
    drip.begins.store(true, Ordering::Relaxed);
    std::thread::sleep(Duration::from_secs(1));
    let asked = Instant::now();
    listener.signal(Signal::INT);
    let ended = listener.wait();
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
    assert!(ended.stderr.contains("did not answer in time"), "{}", ended.stderr);
    assert!(ended.report()["inputs"]["spans"].as_u64() > Some(0), "{}", ended.stdout);
}

#[test]
fn a_broker_that_drips_at_the_start_is_broken_off_by_a_signal() {
    let redis = RedisServer::start();
    let drip = Drip::over(redis.port);
    drip.begins.store(true, Ordering::Relaxed);
    let mut process = Command::new(env!("CARGO_BIN_EXE_tracelink"))
        .args(["listen", "--grpc", "0", "--http", "0", "--broker", &drip.url])
        .spawn()
        .expect("tracelink runs");
    std::thread::sleep(Duration::from_secs(1));
    // As Ctrl-C does; a shell that runs its tests in the background ignores that one.
    rustix::process::kill_process(rustix::process::Pid::from_child(&process), Signal::TERM).expect("it runs");
    let deadline = Instant::now() + Duration::from_secs(5);
    while process.try_wait().expect("it is ours").is_none() {
        if Instant::now() > deadline {
            process.kill().expect("it runs");
            panic!("it waits on");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_script_is_told_where_the_ports_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ready.json");
    std::fs::write(&path, "of an earlier run").expect("the folder is ours");
    let name = path.to_str().expect("UTF-8");
    let listener = crate::listener::Listener::start(&["--ready-file", name]);
    let mut read = None;
    for _ in 0..100 {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        read = serde_json::from_str::<serde_json::Value>(&text).ok();
        if read.is_some() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let ready = read.expect("it is there when it is whole");
    assert_eq!(ready["http"], format!("127.0.0.1:{}", listener.http));
    assert!(ready["grpc"].as_str().is_some_and(|at| at.starts_with("127.0.0.1:")), "{ready}");
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("it is there").count(),
        1,
        "nothing else is left there"
    );
    listener.end();
}

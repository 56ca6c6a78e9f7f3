//! `--forward`: tracelink in front of another endpoint.

use std::process::Command;

use rustix::process::Signal;

use super::listener::Listener;
use crate::support::redis::free_port;

const SPAN: &str = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"api"}}]},"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"GET /","kind":2,"startTimeUnixNano":"1795376994000000000","endTimeUnixNano":"1795376994100000000"}]}]}]}"#;

#[test]
fn what_comes_in_front_arrives_behind() {
    let behind = Listener::start(&[]);
    let front = Listener::start(&["--forward", &format!("http://127.0.0.1:{}/v1/traces", behind.http)]);
    front.send_json(&vec![SPAN.to_owned(); 3]);
    front.signal(Signal::INT);
    let ended = front.wait();
    let told = format!("tracelink: forwarded 3 requests to http://127.0.0.1:{}\n", behind.http);
    assert!(ended.stderr.ends_with(&told), "{}", ended.stderr);
    behind.signal(Signal::INT);
    let (front, behind) = (ended.report(), behind.wait().report());
    assert_eq!(front["inputs"], behind["inputs"]);
    assert_eq!(behind["inputs"]["requests"], 3);
}

#[test]
fn what_does_not_arrive_is_told_and_changes_no_verdict() {
    let front = Listener::start(&["--forward", &format!("grpc://127.0.0.1:{}", free_port())]);
    front.send_json(&[SPAN.to_owned()]);
    front.signal(Signal::INT);
    let ended = front.wait();
    assert!(ended.stderr.contains("1 lost: 1 JSON, which gRPC does not carry"), "{}", ended.stderr);
    assert_eq!(ended.report()["inputs"]["spans"], 1);
}

#[test]
fn a_door_of_its_own_and_what_is_no_url_are_refused() {
    let port = free_port().to_string();
    let listen = |url: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_tracelink"))
            .args(["listen", "--grpc", "0", "--http", &port, "--for", "10s", "--forward", url])
            .output()
            .expect("tracelink runs");
        (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
    };
    let (code, stderr) = listen(&format!("http://localhost:{port}"));
    assert_eq!(code, Some(2), "{stderr}");
    assert!(
        stderr.contains(&format!("--forward leads to 127.0.0.1:{port}, where tracelink itself")),
        "{stderr}"
    );
    let (code, stderr) = listen("ftp://me:secret@otel");
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("ftp://***@otel is not the URL of an OTLP endpoint"), "{stderr}");
}

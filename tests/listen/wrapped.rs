//! A command that runs under the receiver.

use std::process::{Command, Output};

fn listen(args: &[&str], command: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tracelink"))
        .arg("listen")
        .args(args)
        .arg("--")
        .args(command)
        .env_remove("TRACELINK_BROKER")
        .output()
        .expect("tracelink runs")
}

/// A shell that posts captured spans to wherever its environment says.
fn export(case: &str) -> String {
    let spans = format!("{}/fixtures/corpus/{case}/spans.jsonl", env!("CARGO_MANIFEST_DIR"));
    format!(
        r#"python3 - "$OTEL_EXPORTER_OTLP_ENDPOINT/v1/traces" {spans} <<'END'
import sys, urllib.request
for line in open(sys.argv[2], "rb"):
    urllib.request.urlopen(urllib.request.Request(sys.argv[1], line, {{"content-type": "application/json"}}))
END"#
    )
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_healthy_run_ends_with_the_commands_own_code() {
    for code in [0, 7] {
        let script = format!("echo from the command; {}\nexit {code}", export("healthy_auto"));
        let output = listen(&[], &["sh", "-c", &script]);
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
        let out = text(&output.stdout);
        assert!(out.contains("from the command") && out.contains("✓ healthy"), "{out}");
        assert!(out.contains(&format!("exit {code}")), "{out}");
        assert!(text(&output.stderr).contains(&format!("`sh` ended with {code}")));
    }
}

#[test]
fn a_broken_run_ends_with_the_verdict_and_says_why() {
    let script = export("propagator_api_b3multi_worker_w3c");
    let output = listen(&["--settle", "1s"], &["sh", "-c", &script]);
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{out}{}", text(&output.stderr));
    assert!(out.contains("TL301") && out.contains("set_global_textmap("), "{out}");
}

#[test]
fn with_a_machine_format_standard_output_is_the_report_alone() {
    let script = format!("echo from the command; {}", export("healthy_auto"));
    let output = listen(&["--format", "json"], &["sh", "-c", &script]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a report alone");
    assert_eq!(report["verdict"]["status"], "healthy");
    assert!(text(&output.stderr).contains("from the command"));
}

#[test]
fn a_command_that_sends_nothing_is_no_evidence() {
    let output = listen(&["--settle", "500ms"], &["true"]);
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{out}");
    for what in ["exporter = trace_exporter.OTLPSpanExporter()", "tox, docker and sudo", "by environment"] {
        assert!(out.contains(what), "{what} is to be checked: {out}");
    }
}

#[test]
fn a_command_that_is_not_there_is_named() {
    let output = listen(&[], &["no-such-command-anywhere"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(text(&output.stderr).contains("no-such-command-anywhere"));
}

#[test]
fn the_environment_points_at_the_receiver_and_nowhere_else() {
    let output = Command::new(env!("CARGO_BIN_EXE_tracelink"))
        .args(["listen", "--settle", "300ms", "--", "sh", "-c", "env"])
        .env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://elsewhere:4318/v1/traces")
        .env("OTEL_SERVICE_NAME", "order-api")
        .output()
        .expect("tracelink runs");
    let out = text(&output.stdout);
    assert!(out.contains("OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:"), "{out}");
    assert!(out.contains("OTEL_SERVICE_NAME=order-api"), "{out}");
    assert!(!out.contains("elsewhere"), "{out}");
}

#[test]
fn a_command_that_is_cut_off_is_no_success() {
    for limit in [["--for", "3s"], ["--idle", "3s"]] {
        let script = format!("{}\nexec sleep 60", export("healthy_auto"));
        let output = listen(&limit, &["sh", "-c", &script]);
        assert_eq!(output.status.code(), Some(128 + 15), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains("`sh` ended with 143"), "{}", text(&output.stderr));
    }
}

#[test]
fn what_cannot_start_leaves_no_bundle_in_the_way() {
    let folder = tempfile::tempdir().expect("a folder");
    let bundle = folder.path().join("bundle");
    let save = ["--save", bundle.to_str().expect("UTF-8")];
    let output = listen(&save, &["no-such-command-anywhere"]);
    assert_eq!(output.status.code(), Some(4));
    let output = listen(&[&save[..], &["--settle", "500ms"]].concat(), &["true"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(bundle.join("receiver.jsonl").metadata().is_ok_and(|file| file.len() > 0));
}

//! Files that are larger than memory.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tracelink::bundle::{EvidenceOptions, read_evidence};
use tracelink::diagnosis::Listing;
use tracelink::live::{FilePlan, StoredSession};
use tracelink::model::Report;

use super::{cases, diagnose};

fn within(files: &[PathBuf], memory: usize) -> Report {
    let plan = FilePlan::new(memory);
    let mut session = StoredSession::new(&plan, Box::new(|_, _| {}));
    let reading = EvidenceOptions { longest: plan.longest, ..EvidenceOptions::default() };
    read_evidence(files, &reading, &mut session).expect("evidence");
    session.report(Listing::default())
}

#[test]
fn what_fits_is_judged_as_if_there_were_no_bound() {
    let mut complaints = Vec::new();
    for case in cases() {
        let mut files = case.snapshots.clone();
        files.push(case.folder.join("spans.jsonl"));
        files.retain(|path| path.metadata().is_ok_and(|file| file.len() > 0));
        let (whole, _) = diagnose(&files);
        let text = |report: &Report| serde_json::to_value(report).expect("JSON");
        if text(&whole) != text(&within(&files, 1 << 30)) {
            complaints.push(case.name);
        }
    }
    assert!(complaints.is_empty(), "{complaints:?}");
}

/// A service that publishes `orders` tasks, of which each `broken`-th is run in a trace of
/// its own, hundred by hundred as exporters send them.
fn orders(path: &Path, orders: u64, broken: u64) {
    let mut text = String::new();
    let (mut sent, mut run) = (Vec::new(), Vec::new());
    for number in 1..=orders {
        let times = |from: u64| {
            let start = 1_700_000_000_000_000_000 + number * 1_000_000 + from;
            format!(r#""startTimeUnixNano":"{start}","endTimeUnixNano":"{}""#, start + 1_000)
        };
        let celery = |action: &str| {
            let pair =
                |key: &str, value: &str| format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#);
            [
                pair("celery.action", action),
                pair("celery.task_name", "process_order"),
                pair("messaging.message.id", &format!("00000000-0000-0000-0000-{number:012x}")),
            ]
            .join(",")
        };
        let trace = format!("aa{number:030x}");
        sent.push(format!(r#"{{"traceId":"{trace}","spanId":"b1{number:014x}","name":"POST /orders","kind":2,"flags":257,{}}}"#, times(0)));
        sent.push(format!(
            r#"{{"traceId":"{trace}","spanId":"b2{number:014x}","parentSpanId":"b1{number:014x}","name":"apply_async/process_order","kind":4,"flags":257,{},"attributes":[{}]}}"#,
            times(10), celery("apply_async")
        ));
        let is_broken = number % broken == 0;
        let (of, parent) = if is_broken {
            (format!("cc{number:030x}"), String::new())
        } else {
            (trace.clone(), format!(r#""parentSpanId":"b2{number:014x}","#))
        };
        let flags = if is_broken { 257 } else { 769 };
        run.push(format!(
            r#"{{"traceId":"{of}","spanId":"b3{number:014x}",{parent}"name":"run/process_order","kind":5,"flags":{flags},{},"attributes":[{}]}}"#,
            times(100_000), celery("run")
        ));
        if number % 100 == 0 {
            for (service, spans) in [("api", &mut sent), ("worker", &mut run)] {
                writeln!(
                    text,
                    r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"{service}"}}}}]}},"scopeSpans":[{{"scope":{{"name":"opentelemetry.instrumentation.celery"}},"spans":[{}]}}]}}]}}"#,
                    spans.join(",")
                )
                .expect("memory");
                spans.clear();
            }
        }
    }
    fs::write(path, text).expect("the folder is ours");
}

/// What is whole goes first, so that what is broken is named however much comes.
#[test]
fn what_is_broken_stays_where_what_is_whole_has_to_go() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("spans.jsonl");
    orders(&path, 20_000, 500);
    let report = within(&[path], 16 << 20);
    let account = report.inputs.span_account;
    assert_eq!(account.received, 60_000);
    assert!(account.evicted > 20_000, "{account:?}");
    assert_eq!(account.received, account.held + account.evicted + account.rejected + account.duplicates);
    assert!(report.limits.evicted_traces > 5_000);
    assert_eq!(report.inputs.handoffs, 20_000);
    let first = &report.findings[0];
    assert_eq!((first.slug, first.count), ("propagator-mismatch", 40));
    let others: Vec<_> = report.findings[1..].iter().map(|finding| finding.slug).collect();
    assert!(
        others.iter().all(|slug| matches!(*slug, "evidence-evicted" | "service-name-collision")),
        "{others:?}"
    );
}

/// The peak is at most 1.1 times the limit, beside what an idle process takes.
#[test]
fn the_limit_holds_for_files() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("spans.jsonl");
    orders(&path, 60_000, 1_000);
    let peak = |file: &Path, limit: &str| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tracelink"))
            .args(["diagnose", "--max-memory", limit, "--output", "json=/dev/null"])
            .arg(file)
            .stdout(Stdio::piped())
            .spawn()
            .expect("tracelink runs");
        // The report comes at the end; until it is read, the process is there to be asked.
        let status = format!("/proc/{}/status", child.id());
        let mut most = 0;
        while child.try_wait().expect("it runs").is_none() {
            let text = fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kib =
                line.and_then(|line| line.trim().strip_suffix(" kB")).and_then(|kib| kib.trim().parse().ok());
            most = most.max(kib.unwrap_or(0_usize));
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        most << 10
    };
    let empty = folder.path().join("empty.jsonl");
    fs::write(&empty, "{\"resourceSpans\":[]}\n").expect("the folder is ours");
    let idle = peak(&empty, "32MiB");
    let full = peak(&path, "32MiB");
    let limit = 32 << 20;
    assert!(full <= idle + limit + limit / 10, "{full} bytes, beside {idle} of an idle one");
    assert!(full > idle + (4 << 20), "{full} bytes: what is bounded here?");
}

//! Files that are larger than memory.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use prost::Message;
use tracelink::bundle::{EvidenceOptions, read_evidence};
use tracelink::diagnosis::Listing;
use tracelink::live::{FilePlan, StoredSession};
use tracelink::model::Report;

use super::orders::{Layout, write_orders};
use super::{cases, diagnose};

fn within(files: &[PathBuf], memory: usize) -> Report {
    let plan = FilePlan::new(memory, false);
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

fn orders(path: &Path, orders: u64, broken: u64) {
    laid_out(path, orders, broken, Layout::Lines);
}

fn laid_out(path: &Path, orders: u64, broken: u64, layout: Layout) {
    let mut out = BufWriter::new(File::create(path).expect("the folder is ours"));
    write_orders(&mut out, 1..orders + 1, broken, layout)
        .and_then(|()| out.flush())
        .expect("the folder is ours");
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

/// What was let go too early is counted, with the command that would hold it.
#[test]
fn what_was_let_go_too_early_is_told_with_the_command_that_holds_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("the orders.jsonl");
    // Of each order the run comes after all that was published.
    let mut out = Vec::new();
    write_orders(&mut out, 1..20_001, u64::MAX, Layout::Lines).expect("memory");
    let text = String::from_utf8(out).expect("UTF-8");
    let (runs, published): (Vec<_>, Vec<_>) =
        text.lines().partition(|line| line.contains("run/process_order"));
    fs::write(&path, [published, runs].concat().join("\n")).expect("the folder is ours");
    let output = Command::new(env!("CARGO_BIN_EXE_tracelink"))
        .args(["diagnose", "--max-memory", "16MiB", "--format", "json"])
        .arg(&path)
        .output()
        .expect("tracelink runs");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let gaps = report["verdict"]["unproven"].as_array().expect("a list");
    let gap = gaps.iter().find(|gap| gap["reason"] == "let-go").expect("something was let go");
    let command = format!("tracelink diagnose '{}' --max-memory 32MiB", path.display());
    assert_eq!(gap["command"], command.as_str());
    let fixes = report["findings"].to_string();
    assert!(fixes.contains("--max-memory 32MiB"), "{fixes}");
}

/// All requests of a file of lines as one, in protobuf.
fn in_protobuf(lines: &Path) -> Vec<u8> {
    let text = fs::read_to_string(lines).expect("the folder is ours");
    let request = |line: &str| {
        let request: opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest =
            serde_json::from_str(line).expect("a request");
        request.encode_to_vec()
    };
    text.lines().flat_map(request).collect()
}

/// The peak is at most 1.1 times the limit, beside what an idle process takes: for lines, for
/// one line that is longer than the limit, and for such a request in protobuf, bare and as a
/// message.
#[test]
fn the_limit_holds_for_files() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [lines, one_line, request, message] =
        ["lines.jsonl", "one-line.json", "request.binpb", "message.proto"]
            .map(|name| folder.path().join(name));
    laid_out(&lines, 60_000, 1_000, Layout::Lines);
    laid_out(&one_line, 60_000, 1_000, Layout::OneLine);
    let protobuf = in_protobuf(&lines);
    let length = u32::try_from(protobuf.len()).expect("short").to_be_bytes();
    fs::write(&message, [&length[..], &protobuf].concat()).expect("the folder is ours");
    fs::write(&request, protobuf).expect("the folder is ours");
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
    let limit = 32 << 20;
    assert!(one_line.metadata().expect("it was written").len() > 32 << 20);
    for file in [lines, one_line, request, message] {
        let full = peak(&file, "32MiB");
        assert!(full <= idle + limit * 11 / 10, "{full} bytes, beside {idle} of an idle one");
        assert!(full > idle + (4 << 20), "{full} bytes: what is bounded here?");
    }
}

//! `--select`, `--ignore`, `ignore` entries, severities and `--baseline`.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use super::{assert_valid, case, root, schema, stderr, stdout, tracelink};

const BROKEN: &str = "propagator_api_b3multi_worker_w3c";

fn report(output: &Output) -> Value {
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_valid(&schema(), &report, "a report");
    report
}

/// Diagnoses a case, with a configuration where there is one.
fn diagnose(name: &str, config: &str, args: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("tracelink.toml"), config).expect("writable");
    Command::new(env!("CARGO_BIN_EXE_tracelink"))
        .args(["diagnose", &root().join(case(name)).display().to_string()])
        .args(args)
        .current_dir(folder.path())
        .output()
        .expect("tracelink runs")
}

fn slugs(report: &Value) -> Vec<&str> {
    report["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .filter_map(|finding| finding["slug"].as_str())
        .collect()
}

#[test]
fn what_is_ignored_counts_for_nothing_and_is_said() {
    for (args, by) in [
        (&["--ignore", "propagator-mismatch"][..], "ignore"),
        (&["--ignore", "tl301"], "ignore"),
        (&["--ignore", "TL1,TL3"], "ignore"),
        (&["--select", "TL4,TL101"], "select"),
    ] {
        let output = diagnose(BROKEN, "", &[args, &["--format", "json"]].concat());
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        let report = report(&output);
        assert!(!slugs(&report).contains(&"propagator-mismatch"), "{args:?}");
        assert_eq!(report["ignored"][0]["slug"], "propagator-mismatch", "{args:?}");
        assert_eq!(report["ignored"][0]["by"], by, "{args:?}");
        assert_ne!(report["verdict"]["status"], "healthy", "{args:?}: it is not whole");
        let human = stdout(&diagnose(BROKEN, "", args));
        assert!(human.contains("1 finding is ignored") && human.contains("propagator-mismatch:"), "{human}");
        assert!(!human.contains("healthy") && human.contains("nothing else wrong"), "{human}");
    }
    let kept = diagnose(BROKEN, "", &["--select", "propagator-mismatch", "--format", "json"]);
    assert_eq!((kept.status.code(), slugs(&report(&kept))[0]), (Some(1), "propagator-mismatch"));
}

#[test]
fn unknown_names_are_usage_errors_with_the_nearest() {
    for option in ["--select", "--ignore"] {
        let output = tracelink(&["diagnose", &case(BROKEN), option, "propagator-mismtach"]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("did you mean `propagator-mismatch`?"), "{}", stderr(&output));
        let output = tracelink(&["diagnose", &case(BROKEN), option, "TL301,TL999"]);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    }
}

#[test]
fn an_entry_holds_where_it_says_and_until_its_day() {
    let whole = report(&diagnose(BROKEN, "", &["--format", "json"]));
    let finding = &whole["findings"][0];
    let task = finding["tasks"][0].as_str().expect("a task").to_owned();
    let entry = |more: &str| {
        format!(
            "[[ignore]]\nslug = \"propagator-mismatch\"\nreason = \"the \\u001b[31mgateway speaks b3\"\n{more}\n"
        )
    };
    let run = |config: &str| {
        let output = diagnose(BROKEN, config, &["--format", "json"]);
        (output.status.code(), report(&output))
    };
    for holds in
        ["", &format!("task = {task:?}"), &format!("task = [\"other\", {task:?}]"), "until = 9999-12-31"]
    {
        let (code, report) = run(&entry(holds));
        assert_eq!(code, Some(0), "{holds}");
        assert_eq!(report["ignored"][0]["count"], finding["count"], "{holds}");
        assert_eq!(report["ignored"][0]["at"], "tracelink.toml:1", "{holds}");
        assert_eq!(report["ignored"][0]["reason"], "the \u{1b}[31mgateway speaks b3");
    }
    for elsewhere in ["task = \"other\"", "queue = \"other\"", "service = \"other\""] {
        let (code, report) = run(&entry(elsewhere));
        assert_eq!((code, &report["ignored"]), (Some(1), &Value::Null), "{elsewhere}");
    }
    let (code, expired) = run(&entry("until = 2020-01-31"));
    assert_eq!(code, Some(1));
    assert_eq!(expired["expired"][0]["until"], "2020-01-31");
    let human = stdout(&diagnose(BROKEN, &entry("until = 2020-01-31"), &[]));
    assert!(human.contains("counts again") && human.contains("until 2020-01-31"), "{human}");
    assert!(!human.contains('\u{1b}'), "{human}");
}

#[test]
fn a_severity_is_changed_before_the_verdict() {
    let config = "[severity]\npropagator-mismatch = \"note\"\n";
    let output = diagnose(BROKEN, config, &["--format", "json"]);
    assert_eq!(output.status.code(), Some(0));
    let told = report(&output);
    let finding =
        told["findings"].as_array().expect("findings").iter().find(|f| f["slug"] == "propagator-mismatch");
    let finding = finding.expect("it is told all the same");
    assert_eq!(
        (&finding["severity"], &finding["severity_without_config"]),
        (&json!("note"), &json!("error"))
    );
    assert_eq!(diagnose(BROKEN, config, &["--fail-on", "note"]).status.code(), Some(1));
    let worse = diagnose("zero_code_same_service_name_env", "[severity]\nTL602 = \"error\"\n", &[]);
    assert!(worse.status.code() == Some(1), "{}", stdout(&worse));
    assert!(stdout(&worse).contains("warning by itself"), "{}", stdout(&worse));
}

/// Writes the report of a case, and gives its path.
fn baseline_of(name: &str, format: &str, folder: &Path) -> String {
    let path = folder.join(format!("{name}.{format}"));
    let output = tracelink(&["diagnose", &case(name), "--format", format]);
    std::fs::write(&path, output.stdout).expect("writable");
    path.display().to_string()
}

#[test]
fn only_what_the_baseline_has_not_fails() {
    let folder = tempfile::tempdir().expect("a folder");
    for format in ["json", "jsonl"] {
        let same = baseline_of(BROKEN, format, folder.path());
        let output = diagnose(BROKEN, "", &["--baseline", &same, "--format", "json"]);
        assert_eq!(output.status.code(), Some(0), "{format}");
        let report = report(&output);
        assert_eq!((&report["baseline"]["new"], &report["baseline"]["gone"]), (&json!(0), &json!([])));
        assert_eq!(report["findings"][0]["baseline"], "known");
        assert_eq!(report["verdict"]["status"], "broken", "it is what it is");
    }
    let other = baseline_of("no_producer_instrumentation", "json", folder.path());
    let output = diagnose(BROKEN, "", &["--baseline", &other]);
    let human = stdout(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(human.contains("1 new") && human.contains("gone producer-not-instrumented"), "{human}");
    let healthy = baseline_of("healthy_auto", "json", folder.path());
    assert_eq!(diagnose(BROKEN, "", &["--baseline", &healthy]).status.code(), Some(1));
    assert_eq!(diagnose("healthy_auto", "", &["--baseline", &other]).status.code(), Some(0));
}

#[test]
fn a_task_that_the_baseline_does_not_name_is_new() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = baseline_of(BROKEN, "json", folder.path());
    let earlier: Value =
        serde_json::from_str(&std::fs::read_to_string(&path).expect("readable")).expect("JSON");
    let run = |change: &dyn Fn(&mut Value)| {
        let mut changed = earlier.clone();
        change(&mut changed["findings"][0]);
        std::fs::write(&path, changed.to_string()).expect("writable");
        diagnose(BROKEN, "", &["--baseline", &path]).status.code()
    };
    assert_eq!(run(&|finding| finding["tasks"] = json!(["another"])), Some(1));
    assert_eq!(run(&|finding| finding["severity"] = json!("warning")), Some(1), "it is graver now");
    assert_eq!(run(&|finding| finding["id"] = json!("another-id")), Some(0), "ids are of one run");
    assert_eq!(run(&|finding| finding["count"] = json!(1_000_000)), Some(0));
}

#[test]
fn what_is_no_report_is_no_baseline() {
    let folder = tempfile::tempdir().expect("a folder");
    let name = |number: usize| format!("{{\"slug\":\"a{number}\",\"code\":\"TL301\",\"severity\":\"note\"}}");
    let many: Vec<_> = (0..20_000).map(name).collect();
    for (text, told) in [
        (String::new(), "not a tracelink report"),
        ("{}".to_owned(), "not a tracelink report"),
        ("[]".to_owned(), "not a tracelink report"),
        ("{\"schema\": \"tracelink/9\"}".to_owned(), "schema `tracelink/9`"),
        ("{\"schema\": \"tracelink/1\", \"error\": \"no broker\"}".to_owned(), "its run failed"),
        ("{\"schema\": \"tracelink/1\", \"findings\": [{}]}".to_owned(), "missing field"),
        (
            format!("{{\"schema\": \"tracelink/1\", \"findings\": [{}]}}", many.join(",")),
            "a list of 10000 at most",
        ),
        ("[".repeat(100_000), "not a tracelink report"),
        ("{\"event\": \"finding\"}\n".repeat(1_000_000), "not a tracelink report"),
        ("\u{1b}]0;pwned\u{7}".to_owned(), "not a tracelink report"),
    ] {
        let path = folder.path().join("baseline.json");
        std::fs::write(&path, &text).expect("writable");
        let path = path.display().to_string();
        let output = tracelink(&["diagnose", &case(BROKEN), "--baseline", &path, "--format", "json"]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(4), "{said}");
        assert!(said.contains("baseline.json is no baseline") && said.contains(told), "{told}: {said}");
        assert!(!said.contains('\u{1b}') && !said.contains('\u{7}'), "{said}");
        assert!(report(&output)["error"].as_str().is_some_and(|error| error.contains(told)), "{said}");
    }
    let output = tracelink(&["diagnose", &case(BROKEN), "--baseline", "no/such/file"]);
    assert_eq!(output.status.code(), Some(4));
}

#[test]
fn a_queue_shows_what_is_ignored_and_does_not_call_it_whole() {
    let queue = format!("{}/redis.queued.jsonl", case(BROKEN));
    let all = report(&tracelink(&["inspect-queue", "--snapshot", &queue, "--format", "json"]));
    let slug = slugs(&all).first().copied().map(str::to_owned);
    let Some(slug) = slug else { panic!("{all:#}") };
    let args = ["inspect-queue", "--snapshot", &queue, "--ignore", &slug];
    let told = report(&tracelink(&[&args[..], &["--format", "json"]].concat()));
    assert_eq!(told["ignored"][0]["slug"], slug.as_str());
    assert!(stdout(&tracelink(&args)).contains("1 finding is ignored"));
}

#[test]
fn the_demo_does_not_tell_what_is_ignored() {
    let output = tracelink(&[
        "demo",
        "--pace",
        "0.01",
        "--fault",
        "propagator-mismatch",
        "--ignore",
        "TL301",
        "--fail-on",
        "note",
    ]);
    let human = stdout(&output);
    assert!(human.contains("1 finding is ignored") && !human.contains("error[TL301]"), "{human}");
    assert!(human.contains("✓ named"), "the demo still knows that it was found: {human}");
}

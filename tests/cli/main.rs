//! The command as its users run it: exit codes, formats, errors, pipes.

mod config;
mod outputs;
mod policy;
mod queues;
mod shell;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use jsonschema::Validator;
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn tracelink(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracelink"));
    command.args(args).current_dir(root()).env("PATH", path()).env_remove("TRACELINK_BROKER");
    command.output().expect("tracelink runs")
}

/// The `PATH` of a user who has installed tracelink.
#[allow(clippy::disallowed_methods, reason = "a test may read the environment that it changes")]
fn path() -> String {
    let folder = Path::new(env!("CARGO_BIN_EXE_tracelink")).parent().expect("a folder");
    format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default())
}

#[test]
fn a_command_that_is_printed_works_as_typed() {
    let program = env!("CARGO_BIN_EXE_tracelink");
    let evidence = root().join("fixtures/corpus/propagator_api_b3multi_worker_w3c");
    for (path, written) in [(path(), "tracelink"), ("/nowhere".to_owned(), program)] {
        let mut command = Command::new(program);
        let output = command.arg("diagnose").arg(&evidence).env("PATH", &path).output().expect("it runs");
        let text = stdout(&output);
        assert!(text.contains(&format!(" · {written} explain TL301")), "{text}");
        let listed = Command::new(program).arg("explain").env("PATH", &path).output().expect("it runs");
        assert!(stdout(&listed).contains(&format!("{written} explain CODE")), "{}", stdout(&listed));
    }
}

/// Runs the command with a standard output that nobody reads.
fn with_closed_pipe(args: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tracelink"))
        .args(args)
        .current_dir(root())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("tracelink runs");
    drop(child.stdout.take());
    child.wait_with_output().expect("it ends")
}

fn schema() -> Validator {
    let text = std::fs::read(root().join("docs/tracelink-1.schema.json")).expect("the schema is published");
    jsonschema::validator_for(&serde_json::from_slice(&text).expect("JSON")).expect("a schema")
}

fn assert_valid(schema: &Validator, document: &Value, whose: &str) {
    let errors: Vec<_> =
        schema.iter_errors(document).map(|error| format!("{} at {}", error, error.instance_path())).collect();
    assert!(errors.is_empty(), "{whose}: {}", errors.join("\n"));
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

fn case(name: &str) -> String {
    format!("fixtures/corpus/{name}")
}

#[test]
fn every_report_follows_the_published_schema() {
    let schema = schema();
    let mut judged = 0;
    for entry in std::fs::read_dir(root().join("fixtures/corpus")).expect("the corpus") {
        let path: PathBuf = entry.expect("readable").path();
        if !path.join("expected.json").is_file() {
            continue;
        }
        let folder = path.to_str().expect("UTF-8");
        let output = tracelink(&["diagnose", folder, "--format", "json"]);
        assert_valid(&schema, &serde_json::from_slice(&output.stdout).expect("JSON"), folder);
        let output = tracelink(&["diagnose", folder, "--format", "jsonl"]);
        let events: Vec<Value> =
            stdout(&output).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(events.last().expect("an event")["event"], "report");
        for event in &events {
            assert_valid(&schema, event, folder);
        }
        judged += 1;
    }
    assert_eq!(judged, 130);
}

#[test]
fn a_report_that_breaks_the_schema_is_told() {
    let output = tracelink(&["diagnose", &case("healthy_auto"), "--format", "json"]);
    let mut report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    report["verdict"]["status"] = "fine".into();
    assert!(!schema().is_valid(&report));
}

#[test]
fn exit_codes_are_those_of_the_promise() {
    let code = |args: &[&str]| tracelink(args).status.code();
    let (broken, damaged, whole) =
        (case("no_producer_instrumentation"), case("zero_code_same_service_name_env"), case("healthy_auto"));
    assert_eq!(code(&["diagnose", &whole]), Some(0));
    assert_eq!(code(&["diagnose", &broken]), Some(1));
    assert_eq!(code(&["diagnose", &broken, "--fail-on", "never"]), Some(0));
    assert_eq!(code(&["diagnose", &damaged]), Some(0));
    assert_eq!(code(&["diagnose", &damaged, "--fail-on", "warning"]), Some(1));
    assert_eq!(code(&["diagnose"]), Some(2));
    assert_eq!(code(&["explain", "nonsense"]), Some(2));
    assert_eq!(code(&["diagnose", "no/such/file"]), Some(4));
    assert_eq!(code(&["inspect-queue", "--broker", "amqp://localhost"]), Some(2));
    assert_eq!(code(&["inspect-queue", "--broker", "redis://127.0.0.1:1/0"]), Some(4));
    let folder = tempfile::tempdir().expect("a folder");
    let empty = folder.path().join("empty.jsonl");
    std::fs::write(&empty, "{\"resourceSpans\": []}\n").expect("writable");
    assert_eq!(code(&["diagnose", empty.to_str().expect("UTF-8")]), Some(3));
}

#[test]
fn an_empty_variable_is_none() {
    let run = |args: &[&str]| {
        std::process::Command::new(env!("CARGO_BIN_EXE_tracelink"))
            .args(args)
            .envs(
                ["HOME", "XDG_CACHE_HOME", "OTEL_EXPORTER_OTLP_CERTIFICATE", "OTEL_EXPORTER_OTLP_HEADERS"]
                    .map(|name| (name, "")),
            )
            .env("TRACELINK_BROKER", "")
            .output()
            .expect("tracelink runs")
    };
    let listened = run(&["listen", "--grpc", "0", "--http", "0", "--for", "100ms"]);
    assert_eq!(listened.status.code(), Some(3), "{}", stderr(&listened));
    let forwarded =
        run(&["listen", "--grpc", "0", "--http", "0", "--for", "100ms", "--forward", "http://127.0.0.1:1"]);
    assert_eq!(forwarded.status.code(), Some(3), "{}", stderr(&forwarded));
    let faults = run(&["demo", "--list-faults"]);
    assert_eq!(faults.status.code(), Some(0), "{}", stderr(&faults));
}

#[test]
fn a_machine_format_has_a_report_with_every_exit_code_but_2() {
    let output =
        tracelink(&["inspect-queue", "--broker", "redis://:hunter2@127.0.0.1:1/0", "--format", "json"]);
    assert_eq!(output.status.code(), Some(4));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_valid(&schema(), &report, "an unreachable broker");
    assert_eq!(report["verdict"]["status"], "no-evidence");
    assert!(
        report["error"]
            .as_str()
            .is_some_and(|error| error.contains("127.0.0.1:1") && !error.contains("hunter2"))
    );
}

#[test]
fn errors_name_the_place_and_nothing_else_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("spans.jsonl");
    let good =
        std::fs::read_to_string(root().join(case("healthy_auto")).join("spans.jsonl")).expect("readable");
    let mut lines: Vec<&str> = good.lines().collect();
    lines.insert(1, "{\"resourceSpans\": [{\"scopeSpans\": [}");
    std::fs::write(&file, lines.join("\n")).expect("writable");
    let output = tracelink(&["diagnose", file.to_str().expect("UTF-8"), "--format", "json"]);
    assert!(stderr(&output).contains("spans.jsonl:2: broken JSON"), "{}", stderr(&output));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["inputs"]["spans"], 10);
}

#[test]
fn snapshots_that_break_anywhere_are_read_as_far_as_they_go() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = std::fs::read(root().join(case("retry_auto")).join("redis.queued.jsonl")).expect("readable");
    for cut in (0..whole.len()).step_by(97) {
        let file = folder.path().join("cut.jsonl");
        std::fs::write(&file, &whole[..cut]).expect("writable");
        let output = tracelink(&["inspect-queue", "--snapshot", file.to_str().expect("UTF-8")]);
        assert!(matches!(output.status.code(), Some(0 | 1 | 3 | 4)), "cut at {cut}: {}", stderr(&output));
    }
}

#[test]
fn a_password_is_never_printed() {
    for url in [
        "redis://:hunter2@127.0.0.1:1/0",
        "rediss://bob:hunter2@127.0.0.1:1/0",
        "amqp://bob:hunter2@host",
        "redis://bob:hunter2@:x",
    ] {
        let output = tracelink(&["inspect-queue", "--broker", url]);
        assert!(!(stdout(&output) + &stderr(&output)).contains("hunter2"), "{url}");
    }
}

#[test]
fn hostile_names_do_not_reach_the_terminal() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("spans.jsonl");
    let span = serde_json::json!({"traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": "00f067aa0ba902b7", "kind": 5,
        "name": "run/\u{1b}]0;pwned\u{7}\u{202e}evil", "startTimeUnixNano": "5", "endTimeUnixNano": "9"});
    std::fs::write(
        &file,
        serde_json::json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).to_string(),
    )
    .expect("writable");
    let output = tracelink(&["diagnose", file.to_str().expect("UTF-8"), "--color", "always"]);
    let text = stdout(&output);
    assert!(text.contains("\\u{1b}]0;pwned\\u{7}\\u{202e}evil"), "{text}");
    assert!(!text.contains('\u{7}') && !text.contains('\u{202e}'));
}

#[test]
fn a_closed_pipe_is_no_error() {
    let output = with_closed_pipe(&["diagnose", &case("odd_nested_groups_fan_healthy"), "--format", "json"]);
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
}

#[test]
fn explain_prints_every_diagnosis_and_suggests() {
    let list = stdout(&tracelink(&["explain"]));
    for diagnosis in tracelink::diagnosis::all() {
        assert!(list.contains(diagnosis.slug), "{} is not listed", diagnosis.slug);
        let output = tracelink(&["explain", diagnosis.slug]);
        assert!(output.status.success() && stdout(&output).contains("How to fix it"));
    }
    let unknown = tracelink(&["explain", "worker-quiet"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(stderr(&unknown).contains("did you mean `worker"), "{}", stderr(&unknown));
}

#[test]
fn explain_gives_a_program_the_fixes_as_a_report_has_them() {
    let read = |args: &[&str]| {
        let text = stdout(&tracelink(&[&["explain", "--format", "json"], args].concat()));
        serde_json::from_str::<serde_json::Value>(&text).expect("JSON")["diagnoses"].clone()
    };
    let all = read(&[]);
    assert_eq!(all.as_array().map(Vec::len), Some(tracelink::diagnosis::all().len()));
    let one = &read(&["TL301"])[0];
    assert_eq!(one["slug"], "propagator-mismatch");
    assert_eq!(one["fixes"][0]["steps"][0]["place"], "propagators", "{one:#}");
}

#[test]
fn help_has_examples() {
    for command in
        [&["--help"][..], &["inspect-queue", "--help"], &["diagnose", "--help"], &["explain", "--help"]]
    {
        assert!(stdout(&tracelink(command)).contains("Examples:"), "{command:?}");
    }
}

/// The commands of the README and of the book, and what they say that these print.
#[test]
fn the_readme_is_true() {
    trycmd::TestCases::new().env("PATH", path()).case("README.md").case("docs/*.md");
}

#[test]
fn no_error_repeats_a_password() {
    let listen = ["listen", "--for", "1s", "--grpc", "0", "--http", "0"];
    let headers =
        [&listen[..], &["--forward", "http://127.0.0.1:1", "--forward-headers", "authorization:secret"]]
            .concat();
    for (args, code) in [
        (&["listen", "redis://:secret@host"][..], 2),
        (&["listen", "--for", "redis://:sec@ret@host"], 2),
        (&["inspect-queue", "--limit", "redis://:secret@host"], 2),
        (&["redis://:secret@host"], 2),
        (&["inspect-queue", "--broker", "redis://secret@127.0.0.1:1"], 4),
        (&headers, 2),
    ] {
        let output = tracelink(args);
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {told}");
        assert!(!told.contains("secret") && !told.contains("ret@"), "{args:?}: {told}");
    }
}

#[test]
fn standard_output_that_is_full_is_named() {
    let full =
        || Stdio::from(std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it"));
    let spans = case("healthy_auto");
    for args in [
        &["diagnose", &spans][..],
        &["diagnose", &spans, "--format", "json"],
        &["explain"],
        &["listen", "--for", "1s", "--grpc", "0", "--http", "0"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_tracelink"))
            .args(args)
            .current_dir(root())
            .stdout(full())
            .output()
            .expect("tracelink runs");
        assert_eq!(output.status.code(), Some(4), "{args:?}");
        assert!(
            stderr(&output).contains("cannot write to standard output: No space left"),
            "{args:?}: {}",
            stderr(&output)
        );
    }
}

//! The scripts of the action, each as a step of a job.

use std::fs;
use std::process::Command;

use crate::composite::{Acted, act};
use crate::root;
use crate::runner::{Ended, Runner};

/// Sends a capture to wherever the environment says, a request a line.
fn sends(capture: &str) -> String {
    format!(
        "while IFS= read -r request; do curl -fsS -o /dev/null -H 'content-type: application/json' --data-binary \
         \"$request\" \"$OTEL_EXPORTER_OTLP_ENDPOINT/v1/traces\"; done < fixtures/corpus/{capture}/spans.jsonl"
    )
}

const BROKEN: &str = "propagator_api_b3multi_worker_w3c";

/// The inputs of a step that nobody set, as `action.yml` has them.
const UNSET: [(&str, &str); 7] = [
    ("BROKER", ""),
    ("BROKER_MONITOR", "true"),
    ("EXPECT_HANDOFFS", ""),
    ("FAIL_ON", ""),
    ("OPTIONS", ""),
    ("SUMMARY", "true"),
    ("ANNOTATIONS", "true"),
];

fn with<'a>(inputs: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    UNSET.iter().chain(inputs).copied().collect()
}

fn run(runner: &mut Runner, inputs: &[(&str, &str)]) -> Ended {
    let folder = runner.path("tracelink").display().to_string();
    runner.step("run.sh", &[], &with(&[&[("FOLDER", folder.as_str())], inputs].concat()))
}

#[test]
fn a_whole_trace_leaves_the_code_of_the_command() {
    let mut runner = Runner::new();
    let whole = run(&mut runner, &[("COMMAND", &sends("healthy_auto")), ("EXPECT_HANDOFFS", "1")]);
    assert_eq!(whole.code, Some(0), "{}", whole.log);
    assert_eq!((&*whole.outputs["status"], &*whole.outputs["exit-code"]), ("healthy", "0"), "{}", whole.log);
    assert!(whole.summary.contains("healthy"), "{}", whole.summary);
    assert!(whole.log.contains("::notice"), "{}", whole.log);
    let failed = run(&mut runner, &[("COMMAND", &format!("{}; exit 7", sends("healthy_auto")))]);
    assert_eq!((failed.code, &*failed.outputs["exit-code"]), (Some(7), "7"), "{}", failed.log);
}

#[test]
fn a_broken_trace_fails_with_annotations_a_summary_and_evidence() {
    let mut runner = Runner::new();
    let broken = run(&mut runner, &[("COMMAND", &sends(BROKEN))]);
    assert_eq!((broken.code, &*broken.outputs["status"]), (Some(1), "broken"), "{}", broken.log);
    assert!(broken.log.contains("::error"), "{}", broken.log);
    assert!(broken.summary.contains("orphan") || broken.summary.contains("TL"), "{}", broken.summary);
    // The artifact is evidence for `diagnose`, which says the same.
    let bundle = runner.path("tracelink/bundle");
    let again =
        Command::new(env!("CARGO_BIN_EXE_tracelink")).arg("diagnose").arg(bundle).output().expect("it runs");
    assert_eq!(again.status.code(), Some(1));

    let quiet =
        [("COMMAND", sends(BROKEN)), ("SUMMARY", "false".to_owned()), ("ANNOTATIONS", "false".to_owned())];
    let quiet = quiet.each_ref().map(|(name, value)| (*name, value.as_str()));
    let ended =
        run(&mut runner, &[&quiet[..], &[("FAIL_ON", "never"), ("OPTIONS", "--settle\n500ms\n")]].concat());
    assert_eq!((ended.code, &*ended.outputs["status"]), (Some(0), "broken"), "{}", ended.log);
    assert!(ended.summary.is_empty() && !ended.log.contains("::error"), "{}", ended.log);
}

#[test]
fn what_is_wrong_with_the_inputs_is_an_annotation() {
    let mut runner = Runner::new();
    let nothing = run(&mut runner, &[("COMMAND", "")]);
    assert_eq!(nothing.code, Some(2));
    assert!(nothing.log.contains("::error title=tracelink::say what to run"), "{}", nothing.log);
    let unknown = run(&mut runner, &[("COMMAND", "true"), ("FAIL_ON", "sometimes")]);
    assert_eq!((unknown.code, &*unknown.outputs["status"]), (Some(2), "no-evidence"), "{}", unknown.log);
    for (mode, from) in [("walk", "release"), ("run", "nowhere")] {
        let planned = runner.step("plan.sh", &[], &[("TRACELINK_MODE", mode), ("TRACELINK_FROM", from)]);
        assert_eq!(planned.code, Some(2), "{}", planned.log);
        assert!(planned.log.contains("::error"), "{}", planned.log);
    }
    let never = runner.path("never").display().to_string();
    let stopped = runner.step("stop.sh", &[], &with(&[("FOLDER", &never)]));
    assert_eq!(stopped.code, Some(2), "{}", stopped.log);
}

#[test]
fn a_receiver_is_there_for_the_steps_between_start_and_stop() {
    for (protocol, capture, code, status) in
        [("http/protobuf", BROKEN, 1, "broken"), ("http/protobuf", "healthy_auto", 0, "healthy")]
    {
        let mut runner = Runner::new();
        let folder = runner.path("tracelink").display().to_string();
        let inputs = [
            ("FOLDER", folder.as_str()),
            ("GRPC", "127.0.0.1:0"),
            ("HTTP", "127.0.0.1:0"),
            ("PROTOCOL", protocol),
        ];
        let started = runner.step("start.sh", &[], &with(&inputs));
        assert_eq!(started.code, Some(0), "{}", started.log);
        let endpoint = runner.given("OTEL_EXPORTER_OTLP_ENDPOINT");
        assert_eq!(endpoint, format!("http://{}", started.outputs["http"]));
        let mut between = Command::new("bash");
        between
            .args(["-c", &sends(capture)])
            .current_dir(root())
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
        let sent = between.status().expect("bash is there");
        let stopped = runner.step("stop.sh", &[], &with(&[("FOLDER", &folder)]));
        assert!(sent.success(), "{}", stopped.log);
        assert_eq!((stopped.code, &*stopped.outputs["status"]), (Some(code), status), "{}", stopped.log);
        assert!(stopped.summary.contains(status), "{}", stopped.summary);
    }
}

#[test]
fn a_receiver_that_cannot_start_says_why() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("it has one").to_string();
    let mut runner = Runner::new();
    let folder = runner.path("tracelink").display().to_string();
    let inputs = [
        ("FOLDER", folder.as_str()),
        ("GRPC", address.as_str()),
        ("HTTP", "127.0.0.1:0"),
        ("PROTOCOL", "grpc"),
    ];
    let started = runner.step("start.sh", &[], &with(&inputs));
    assert_eq!(started.code, Some(4), "{}", started.log);
    assert!(started.log.contains("::error title=tracelink::the receiver did not start"), "{}", started.log);
    assert!(started.log.contains(&address), "{}", started.log);
}

/// Publishes a release whose program starts the built one, as `python/release.py` packs one.
fn published(runner: &Runner, sum: &str) {
    let (version, binary) = (env!("CARGO_PKG_VERSION"), env!("CARGO_BIN_EXE_tracelink"));
    let target = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("macos", _) => "aarch64-apple-darwin".to_owned(),
        (_, machine) => format!("{machine}-unknown-linux-gnu"),
    };
    let name = format!("tracelink-{version}-{target}");
    let release = runner.path(&format!("site/someone/tracelink/releases/download/v{version}"));
    let script = format!(
        "mkdir -p '{name}' && printf '#!/bin/sh\\nexec \"{binary}\" \"$@\"\\n' >'{name}/tracelink' && chmod +x \
         '{name}/tracelink' && tar -czf '{name}.tar.gz' '{name}' && {sum} '{name}.tar.gz' >SHA256SUMS"
    );
    fs::create_dir_all(&release).expect("writable");
    let packed =
        Command::new("sh").args(["-c", &script]).current_dir(&release).status().expect("sh is there");
    assert!(packed.success());
}

#[test]
fn a_release_is_taken_with_the_right_sum_alone() {
    for (sum, code) in [("sha256sum", 0), ("printf '%064d  %s\\n' 0", 1)] {
        let mut runner = Runner::new().checked_out("someone/tracelink");
        published(&runner, sum);
        let site = format!("file://{}", runner.path("site").display());
        let bin = runner.path("bin").display().to_string();
        let ended = runner.step("install.sh", &["release"], &[("GITHUB_SERVER_URL", &site), ("BIN", &bin)]);
        assert_eq!(ended.code, Some(code), "{}", ended.log);
        let path = fs::read_to_string(runner.path("path")).expect("UTF-8");
        assert_eq!(path.trim_end() == bin, code == 0, "the PATH gets it: {path}");
        assert_eq!(runner.path("bin/tracelink").exists(), code == 0);
    }
    let mut runner = Runner::new().checked_out("someone/tracelink");
    let nowhere = [("GITHUB_SERVER_URL", "file:///nowhere"), ("BIN", "/nowhere")];
    let missing = runner.step("install.sh", &["release"], &nowhere);
    assert_eq!(missing.code, Some(1));
    assert!(
        missing.log.contains("is 0.1.0 released?") || missing.log.contains("released?"),
        "{}",
        missing.log
    );
    let own = Runner::new().step("install.sh", &["release"], &nowhere);
    assert!(own.log.contains("::error title=tracelink::an action of this very repository"), "{}", own.log);
}

#[test]
fn a_plan_names_what_a_build_reads() {
    let mut runner = Runner::new();
    let plan = |runner: &mut Runner, mode: &str, from: &str| {
        let ended = runner.step("plan.sh", &[], &[("TRACELINK_MODE", mode), ("TRACELINK_FROM", from)]);
        assert_eq!(ended.code, Some(0), "{}", ended.log);
        ended.outputs
    };
    let first = plan(&mut runner, "run", "source");
    assert_eq!((first["install"].as_str(), first["key"].len()), ("source", 32));
    assert_eq!(plan(&mut runner, "run", "source"), first, "a cache is found again");
    assert_eq!(plan(&mut runner, "stop", "source")["install"], "no", "`start` has installed it");
    assert_eq!(plan(&mut runner, "run", "path")["install"], "no");
}

/// A runner on which the release can be downloaded, and no tracelink is.
fn with_release() -> Runner {
    let mut runner = Runner::bare().checked_out("someone/tracelink");
    published(&runner, "sha256sum");
    let site = format!("file://{}", runner.path("site").display());
    runner.gives("GITHUB_SERVER_URL", &site);
    runner
}

fn found(acted: &Acted) -> (bool, &str, &str) {
    (acted.succeeded, &acted.outputs["status"], &acted.outputs["exit-code"])
}

#[test]
fn the_whole_action_wraps_a_command() {
    let mut runner = with_release();
    let command = sends(BROKEN);
    let broken = act(&mut runner, &[("command", &command), ("artifact", "traces")]);
    assert_eq!(found(&broken), (false, "broken", "1"), "{}", broken.log);
    assert_eq!(broken.ran, ["plan.sh", "install.sh release", "run.sh", "actions/upload-artifact"]);
    assert!(broken.log.contains("::error") && broken.summary.contains("TL301"), "{}", broken.log);
    let (name, folder) = broken.artifact.expect("it was uploaded, although the step before it failed");
    assert_eq!((name.as_str(), &folder), ("traces", &broken.outputs["folder"]));
    for file in ["report.json", "summary.md", "bundle/spans.jsonl"] {
        assert!(fs::metadata(format!("{folder}/{file}")).is_ok(), "{file} is not in the artifact");
    }

    let healthy = act(&mut runner, &[("command", &sends("healthy_auto")), ("expect-handoffs", "1")]);
    assert_eq!(found(&healthy), (true, "healthy", "0"), "{}", healthy.log);
    assert_eq!(healthy.artifact, None, "nobody asked for it");
}

#[test]
fn the_whole_action_starts_and_stops() {
    let mut runner = with_release();
    let started = act(&mut runner, &[("mode", "start"), ("protocol", "http/protobuf")]);
    assert!(started.succeeded, "{}", started.log);
    assert_eq!(started.ran, ["plan.sh", "install.sh release", "start.sh"]);
    assert_eq!(runner.given("OTEL_EXPORTER_OTLP_ENDPOINT"), format!("http://{}", started.outputs["http"]));
    let between = runner.command(&sends(BROKEN), &[]);
    let stopped = act(&mut runner, &[("mode", "stop"), ("artifact", "traces")]);
    assert_eq!(between.code, Some(0), "{}", between.log);
    assert_eq!(found(&stopped), (false, "broken", "1"), "{}", stopped.log);
    assert_eq!(stopped.ran, ["plan.sh", "stop.sh", "actions/upload-artifact"]);
    assert!(stopped.artifact.is_some() && stopped.summary.contains("TL301"), "{}", stopped.summary);
}

#[test]
fn the_whole_action_ends_where_its_inputs_are_wrong() {
    let wrong = act(&mut Runner::bare(), &[("mode", "walk"), ("artifact", "traces")]);
    assert_eq!((wrong.succeeded, wrong.ran), (false, vec!["plan.sh".to_owned()]), "{}", wrong.log);
}

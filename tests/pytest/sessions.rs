//! Sessions: what is asked for and what is not, with the neighbours that pytest has, on
//! the newest and the oldest pytest and Celery.

use std::fs;
use std::process::Command;

use crate::run::{Project, Ran, Stack, root};
use crate::support::python;

#[test]
fn whoever_asks_for_nothing_gets_nothing() {
    let project = Project::of("idle", Stack::Newest);
    // Other plugins import OpenTelemetry by themselves.
    let bare = |args: &[&str]| {
        let mut command = project.pytest(args);
        let command = command.env("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1");
        Ran::of(command.args(["-p", "tracelink_cli.pytest_plugin"]).output().expect("Python runs"))
    };
    bare(&[]).ends_with(0).says("1 passed").says_not("= tracelink =");
    fs::write(project.path("pytest.ini"), "[pytest]\ntracelink = true\n").expect("writable");
    bare(&["--no-tracelink"]).ends_with(0).says("1 passed").says_not("= tracelink =");
    // Nothing came: nothing is wrong, and nothing waits.
    let asked = bare(&["--deselect", "test_idle.py::test_nothing_was_asked_for", "--durations", "0"]);
    asked.says("= tracelink =").says("no span came: nothing was judged");
    let ran = Ran::of(
        bare_command(&project, &["-o", "tracelink_fail_on=sometimes"]).output().expect("Python runs"),
    );
    ran.ends_with(4).says("tracelink_fail_on: expected one of error, warning, note, never, not 'sometimes'");
    let mut lost = bare_command(&project, &[]);
    let ran = Ran::of(lost.env("TRACELINK_BINARY", "/nowhere/tracelink").output().expect("Python runs"));
    ran.ends_with(4).says("TRACELINK_BINARY names no program: /nowhere/tracelink");
}

fn bare_command(project: &Project, args: &[&str]) -> Command {
    let mut command = project.pytest(args);
    command.env("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1").args(["-p", "tracelink_cli.pytest_plugin"]);
    command
}

#[test]
fn it_works_beside_its_neighbours() {
    // Flask, pytest-asyncio, pytest-redis, and what the fixture gives.
    let project = Project::of("matrix", Stack::Newest);
    let ran = project.run(&["--tracelink", "-o", "tracelink_settle=2s"]);
    ran.ends_with(0)
        .says("5 passed")
        .says("4 hand-offs   4 messages")
        .says("✓ healthy")
        .says("the application set no tracer provider in this process: tracelink set one");
}

#[test]
fn what_the_application_set_up_stays() {
    let ran = Project::of("provider", Stack::Newest).run(&[]);
    ran.ends_with(0)
        .says("the tracer provider of this process exports elsewhere: tracelink added an exporter");
    let ran = Project::of("own", Stack::Newest).run(&["--tracelink"]);
    ran.ends_with(0).says("✓ healthy").says_not("note:");
}

#[test]
fn eager_tasks_are_no_handoffs() {
    let ran = Project::of("eager", Stack::Newest).run(&["-o", "tracelink_settle=1s"]);
    ran.ends_with(0).says("no message is ever published, so no hand-off can be seen, whole or broken");
}

const BROKEN: &str = "error[TL101] producer-not-instrumented: test_first.py::test_breaks\n";

#[test]
fn a_broken_handoff_fails_the_run_and_names_the_test() {
    let project = Project::of("session", Stack::Newest);
    let settle = ["-o", "tracelink_settle=2s"];
    let ran = project.run(&[&["--tracelink"], &settle[..]].concat());
    ran.ends_with(1).says("2 passed").says(BROKEN).says("CeleryInstrumentor().instrument()");

    // Each worker has a receiver, and there is one summary.
    let ran = project.run(&[&["--tracelink", "-n", "2", "--dist", "loadfile"], &settle[..]].concat());
    ran.ends_with(1).says("2 passed").says(BROKEN);
    assert_eq!(ran.text.matches("= tracelink =").count(), 1, "{}", ran.text);

    let ran = project.run(&[&["--tracelink", "-o", "tracelink_fail_on=never"], &settle[..]].concat());
    ran.ends_with(0).says("2 passed").says(BROKEN);
}

#[test]
fn the_oldest_pytest_and_celery_do_the_same() {
    let settle = ["-o", "tracelink_settle=2s"];
    let whole = Project::of("oldest", Stack::Oldest);
    let ran = whole.run(&[&["--tracelink"], &settle[..]].concat());
    ran.ends_with(0).says("pytest-7.0.1").says("1 passed").says("✓ healthy").says("1 hand-off ");
    let broken = Project::of("session", Stack::Oldest);
    broken.run(&[&["--tracelink"], &settle[..]].concat()).ends_with(1).says("2 passed").says(BROKEN);
}

#[test]
fn a_file_that_is_about_to_be_written_is_no_evidence() {
    let project = Project::of("unwritten", Stack::Newest);
    project.run(&[]).ends_with(0).says("10 passed");
}

#[test]
fn the_package_is_typed() {
    let output = Command::new(python::stack())
        .args(["-m", "mypy", "--strict", "--cache-dir", "/dev/null", "--python-version", "3.10"])
        .arg(root().join("python/tracelink_cli"))
        .env("PYTHONPATH", python::packages("pytest"))
        .output()
        .expect("Python runs");
    Ran::of(output).ends_with(0).says("Success: no issues found");
}

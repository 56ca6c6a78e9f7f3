//! `docs/five-minutes.md`, followed with a fresh HOME: the check fails, the fix that it
//! printed is pasted, and the check passes; once with the binary, once with the plugin.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::run::{Project, Ran, Stack, root};

/// The place that the page's program has for the fix.
const PLACE: &str = "# tracelink: before-app\n";

/// The files that the page tells one to write.
fn files() -> [(&'static str, String); 2] {
    let page = fs::read_to_string(root().join("docs/five-minutes.md")).expect("readable");
    ["shop.py", "test_shop.py"].map(|name| {
        let (_, after) = page.split_once(&format!("`{name}`:\n\n```python\n")).expect("the page shows it");
        (name, after.split("```").next().expect("it ends").to_owned())
    })
}

/// Puts the lines of the best fix of a report where its step says.
fn paste(project: &Project, report: &Value) {
    let findings = report["findings"].as_array().expect("a list");
    let finding = findings.iter().find(|finding| finding["code"] == "TL101").expect("it is named");
    let steps = finding["fixes"][0]["steps"].as_array().expect("a list");
    let step = steps.iter().find(|step| step["place"] == "before-app").expect("it has a place");
    let lines: Vec<_> = step["lines"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    let lines = lines.join("\n") + "\n";
    let program = fs::read_to_string(project.path("shop.py")).expect("readable");
    assert!(program.contains(PLACE), "the page shows the place");
    fs::write(project.path("shop.py"), program.replace(PLACE, &lines)).expect("writable");
}

/// With a HOME that nothing was ever written to.
fn fresh(project: &Project, mut command: Command) -> Ran {
    let home = project.path("home");
    fs::create_dir_all(&home).expect("writable");
    Ran::of(command.env("HOME", home).env("XDG_CACHE_HOME", "").output().expect("it starts"))
}

fn check(project: &Project) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracelink"));
    command.args([
        "listen",
        "--broker",
        &project.broker(),
        "--broker-monitor",
        "--output",
        "json=report.json",
        "--",
    ]);
    let pytest = project.pytest(&["-q"]);
    command.arg(pytest.get_program()).args(pytest.get_args()).current_dir(project.folder.path());
    command.envs(pytest.get_envs().filter_map(|(name, value)| Some((name, value?))));
    fresh(project, command)
}

#[test]
fn the_page_is_true_with_the_binary() {
    let project = Project::with(&files(), Stack::Newest);
    check(&project)
        .ends_with(1)
        .says("1 passed")
        .says("error[TL101]")
        .says("CeleryInstrumentor().instrument()");
    let report = fs::read(project.path("report.json")).expect("it was written");
    paste(&project, &serde_json::from_slice(&report).expect("JSON"));
    check(&project).ends_with(0).says("1 passed").says("✓ healthy: every hand-off that was seen is whole");
}

#[test]
fn the_page_is_true_with_the_plugin() {
    let project = Project::with(&files(), Stack::Newest);
    let check = || fresh(&project, project.pytest(&["--tracelink"]));
    check().ends_with(1).says("1 passed").says("error[TL101]").says("CeleryInstrumentor().instrument()");
    // The fix is the same by either way; a program reads it from the report of the binary.
    let diagnosis =
        Command::new(env!("CARGO_BIN_EXE_tracelink")).args(["explain", "TL101", "--format", "json"]).output();
    let explained: Value = serde_json::from_slice(&diagnosis.expect("it runs").stdout).expect("JSON");
    let mut finding = explained["diagnoses"][0].clone();
    finding["code"] = "TL101".into();
    paste(&project, &serde_json::json!({ "findings": [finding] }));
    check().ends_with(0).says("1 passed").says("✓ healthy");
}

//! What a shell makes of a text, where no program is run: each is a function that writes
//! down how it was called.

use std::fmt::Write;
use std::fs;
use std::process::{Command, Stdio};

/// Every program that the docs call, and that is not tracelink. One that is missing here
/// is either misspelt, or is to be added.
pub const OTHERS: [&str; 24] = [
    "apt-get",
    "cargo",
    "celery",
    "claude",
    "codex",
    "curl",
    "docker",
    "gemini",
    "gh",
    "kubectl",
    "man",
    "mdbook",
    "mkdir",
    "opentelemetry-instrument",
    "pip",
    "pipx",
    "pytest",
    "python",
    "python3",
    "redis-server",
    "sha256sum",
    "sleep",
    "twine",
    "uvx",
];
const OURS: [&str; 2] = ["tracelink", "tracelink-cli"];

/// Closes a call. No argument of the docs has it.
const END: &str = "\u{1}";

/// The calls of a text, each a program and its arguments; or what is wrong with it.
pub fn calls(text: &str) -> Result<Vec<Vec<String>>, String> {
    let folder = tempfile::tempdir().expect("a folder");
    // What `--ready-file` leaves, for loops that wait for it.
    fs::write(folder.path().join("ready.json"), "").expect("writable");
    let log = folder.path().join("calls");
    let mut script = format!("record() {{ printf '%s\\0' \"$@\" '{END}' >>{}; }}\n", log.display());
    for program in OURS.iter().chain(&OTHERS) {
        let _ = writeln!(script, "{program}() {{ record {program} \"$@\"; }}");
    }
    // No program is found, so none is run, and whatever is called by a path is not there.
    script += "command_not_found_handle() { echo \"no such program: $1\" >&3; }\n";
    script += "kill() { :; }; cd() { :; }; .() { :; }\n";
    script += text;
    let unknown = folder.path().join("unknown");
    let script_file = folder.path().join("script");
    fs::write(&script_file, script).expect("writable");
    let mut bash = Command::new("/bin/bash");
    bash.args(["--norc", "--noprofile", "-c", ". ./script 3>unknown; exit $(( $? == 2 ? 2 : 0 ))"])
        .current_dir(folder.path())
        .env_clear()
        .env("PATH", "/nowhere")
        .env("GITHUB_STEP_SUMMARY", "summary.md")
        .stdin(Stdio::null());
    let said = bash.output().expect("bash is there");
    let complaints = String::from_utf8_lossy(&said.stderr).into_owned();
    let unknown = fs::read_to_string(unknown).unwrap_or_default();
    if complaints.contains("syntax error") || complaints.contains("unexpected") || !unknown.is_empty() {
        return Err(format!("{unknown}{complaints}"));
    }
    let log = fs::read_to_string(log).unwrap_or_default();
    let mut calls = vec![Vec::new()];
    for word in log.split_terminator('\0') {
        if word == END {
            calls.push(Vec::new());
        } else {
            calls.last_mut().expect("one is open").push(word.to_owned());
        }
    }
    calls.pop();
    Ok(calls)
}

#[test]
fn a_shell_is_understood() {
    let text = "tracelink listen --for \"1 s\" &\nuntil curl -sf x; do sleep 1; done # why\nwait $!\npytest -q | tracelink diagnose -";
    let mut seen = calls(text).expect("it is right");
    seen.sort();
    let wanted = [
        &["curl", "-sf", "x"][..],
        &["pytest", "-q"],
        &["tracelink", "diagnose", "-"],
        &["tracelink", "listen", "--for", "1 s"],
    ];
    assert_eq!(seen, wanted);
    assert!(calls("tracelnik listen").expect_err("it is misspelt").contains("tracelnik"));
    assert!(calls("for x in; tracelink").is_err());
}

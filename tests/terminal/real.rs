//! The binary in a pseudo-terminal, under a shell: a healthy and a broken order, the keys, a
//! window that changes, a suspended job, and what is left of the terminal after each end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use base64::Engine;
use rustix::process::{Pid, Signal, kill_process};

use super::pty::Pty;

const COMMAND: &str =
    "tracelink --no-config listen --tui --grpc 0 --http 0 --settle 1s --ready-file ready.json";

/// Where it listens over HTTP, and its process id, once it does.
fn ready(folder: &Path) -> (u16, i32) {
    let file = folder.join("ready.json");
    loop {
        if let Ok(text) = std::fs::read_to_string(&file) {
            let ready: serde_json::Value = serde_json::from_str(&text).expect("it appears complete");
            std::fs::remove_file(&file).expect("ours");
            let http =
                ready["http"].as_str().and_then(|address| address.rsplit_once(':')).expect("an address");
            let pid = ready["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).expect("a process");
            return (http.1.parse().expect("a port"), pid);
        }
        std::thread::yield_now();
    }
}

fn send(port: u16, case: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus").join(case);
    let requests = std::fs::read_to_string(folder.join("spans.jsonl")).expect("a capture");
    for body in requests.lines() {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        let head = format!(
            "POST /v1/traces HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        assert!(answer.contains(" 200 "), "{answer}");
    }
}

#[test]
fn a_person_looks_at_a_broken_order_and_leaves_the_terminal_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut pty = Pty::shell(100, 40, folder.path());
    let modes = pty.modes();

    pty.run(COMMAND);
    pty.wait_for("waiting for spans");
    assert!(pty.is_on_alternate_screen());
    assert_ne!(pty.modes(), modes, "it takes keys as they are pressed");
    let (port, _) = ready(folder.path());
    send(port, "healthy_auto");
    pty.wait_for("✓ whole");
    send(port, "propagator_api_b3multi_worker_w3c");
    pty.wait_for("TL301");
    pty.wait_for("╳  the worker started a trace of its own");

    // Copy, open, look closer, filter.
    pty.type_keys("y");
    let copied = pty.wait_for_sequence("\u{1b}]52;c;", "\u{7}");
    let copied = base64::engine::general_purpose::STANDARD.decode(copied).expect("base64");
    assert!(String::from_utf8_lossy(&copied).contains("set_global_textmap("), "the fix is copied");
    pty.type_keys("\r");
    pty.wait_for("fold");
    pty.type_keys("\u{1b}[Ba");
    pty.wait_for("span id");
    pty.type_keys("ab");
    pty.wait_for("broken only");
    pty.type_keys("b/service:nobody\r");
    pty.wait_for("the filter takes none of them");
    pty.type_keys("/\u{15}\r");
    pty.wait_until_gone("the filter takes none of them");

    pty.resize(60, 20);
    pty.wait_for("hand-offs 2");
    assert!(pty.screen().lines().all(|line| line.chars().count() <= 60));

    pty.type_keys("\u{1a}");
    pty.wait_for_prompt();
    assert_eq!(pty.modes(), modes, "suspended, it leaves the terminal to the shell");
    assert!(!pty.is_on_alternate_screen());
    pty.run("fg");
    pty.wait_for("hand-offs 2");
    assert!(pty.is_on_alternate_screen());

    pty.type_keys("q");
    pty.wait_for("exit 1");
    pty.wait_for_prompt();
    assert_eq!(pty.modes(), modes);
    assert!(!pty.is_on_alternate_screen());
}

#[test]
fn a_signal_and_a_panic_leave_the_terminal_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut pty = Pty::shell(100, 30, folder.path());
    let modes = pty.modes();
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        pty.run(COMMAND);
        pty.wait_for("waiting for spans");
        let (_, pid) = ready(folder.path());
        kill_process(Pid::from_raw(pid).expect("a process"), signal).expect("it runs");
        pty.wait_for("exit 3");
        pty.wait_for_prompt();
        assert_eq!(pty.modes(), modes, "{signal:?}");
        assert!(!pty.is_on_alternate_screen(), "{signal:?}");
        pty.run("clear");
        pty.wait_until_gone("exit 3");
    }
    // Only a debug build, which this is, has a key that panics.
    pty.run(COMMAND);
    pty.wait_for("waiting for spans");
    pty.type_keys("\u{1b}[24~");
    pty.wait_for("a test asked for a panic");
    pty.wait_for_prompt();
    assert_eq!(pty.modes(), modes);
    assert!(!pty.is_on_alternate_screen());
    pty.run("echo code $?");
    pty.wait_for("code 4");
}

/// Without a terminal, with a command that needs it, or with another format that needs
/// standard output, it says what to do instead.
#[test]
fn what_cannot_be_shown_is_an_error_of_usage() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut pty = Pty::shell(100, 30, folder.path());
    for (arguments, said) in [
        ("--tui -- true", "run the command in another terminal"),
        ("--tui --format json", "--output json=PATH"),
        ("--tui | cat", "--tui needs a terminal"),
    ] {
        pty.run(&format!("tracelink --no-config listen {arguments}"));
        pty.wait_for(said);
        pty.run("clear");
        pty.wait_until_gone(said);
    }
}

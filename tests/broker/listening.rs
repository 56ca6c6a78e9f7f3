//! `tracelink listen` as a process, beside a broker.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStderr, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// One that listens by now.
pub struct Listening {
    child: Child,
    said: Lines<BufReader<ChildStderr>>,
}

impl Listening {
    /// Starts it on free ports, with these arguments more.
    pub fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tracelink"))
            .args(["listen", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--format", "json"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("tracelink runs");
        let said = BufReader::new(child.stderr.take().expect("piped")).lines();
        let mut listening = Self { child, said };
        listening.wait_for("listening");
        listening
    }

    /// Waits until it says so.
    pub fn wait_for(&mut self, what: &str) {
        let heard = self.said.by_ref().map(|line| line.expect("UTF-8")).find(|line| line.contains(what));
        assert!(heard.is_some(), "`{what}` is never said");
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// Waits for its end, and gives its report.
    pub fn report(self) -> Value {
        let output = self.child.wait_with_output().expect("it ends");
        serde_json::from_slice(&output.stdout).expect("a report")
    }
}

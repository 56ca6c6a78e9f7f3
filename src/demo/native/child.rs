//! A child process of the demo. It does not outlive its owner: its standard input closes,
//! and it is killed when it is dropped.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{self, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

use super::process_protocol::ProcessEvent;
use super::setup::Setup;
use crate::demo::clock;

/// How long a process may take to end by itself, and how long its group may take to be gone
/// once it is killed.
const END: Duration = Duration::from_secs(6);
const GONE: Duration = Duration::from_secs(1);

/// The hidden subcommand that a process of the demo is started by, as `cli/mod.rs`
/// has it.
pub const SUBCOMMAND: &str = "demo-process";

/// Which process group a process joins: a terminal's Ctrl-C goes to a group, and so does a
/// kill.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Group {
    /// Its own, which its own children may join.
    Own,
    /// That of its parent.
    Shared,
}

pub struct Child {
    process: process::Child,
    group: Group,
    input: Option<process::ChildStdin>,
    /// A callback for its output, until its end.
    reader: Option<JoinHandle<()>>,
}

impl Child {
    /// Starts a process of the program. In a thread of its own, `hear` is called with each
    /// line of its output, and with `None` at its end.
    ///
    /// # Errors
    ///
    /// Where the program cannot be started.
    pub fn start(
        program: &Path,
        setup: &Setup,
        group: Group,
        mut hear: impl FnMut(Option<ProcessEvent>) + Send + 'static,
    ) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.arg(SUBCOMMAND).stdin(Stdio::piped()).stdout(Stdio::piped());
        if group == Group::Own {
            // The terminal's Ctrl-C is for the parent alone, which ends the others in
            // order.
            command.process_group(0);
        }
        let mut process = command.spawn()?;
        let (mut input, output) = (process.stdin.take(), process.stdout.take());
        let mut line = serde_json::to_vec(setup).map_err(io::Error::other)?;
        line.push(b'\n');
        input.iter_mut().try_for_each(|input| input.write_all(&line))?;
        let reader = output.map(|output| {
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if let Ok(report) = serde_json::from_str(&line) {
                        hear(Some(report));
                    }
                }
                hear(None);
            })
        });
        Ok(Self { process, group, input, reader })
    }

    /// Writes a line to its standard input.
    ///
    /// # Errors
    ///
    /// Where it is gone.
    pub fn tell(&mut self, line: &str) -> io::Result<()> {
        let input = self.input.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        input.write_all(format!("{line}\n").as_bytes())
    }

    /// Asks it to end, by closing its standard input.
    pub fn close(&mut self) {
        self.input = None;
    }

    /// Asks it to end and waits for that; kills it if it takes too long.
    pub fn wait(mut self) {
        self.close();
        let deadline = clock::now() + END;
        while clock::now() < deadline {
            if !matches!(self.process.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Child {
    /// Kills it with everything that it started, and waits until they are gone and write
    /// nothing more. A group outlives its leader, which is reaped last, so that its pid
    /// cannot be reused.
    fn kill(&mut self) {
        let leader = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
        let group = leader.filter(|_| self.group == Group::Own);
        match group {
            Some(group) => drop(kill_process_group(group, Signal::KILL)),
            None => drop(self.process.kill()),
        }
        let _ = self.process.wait();
        let Some(group) = group else { return };
        let deadline = clock::now() + GONE;
        while test_kill_process_group(group).is_ok() && clock::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            self.kill();
        }
        // All of its output was read.
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

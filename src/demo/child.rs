//! A process of the demo, as the one that started it holds it. Its life ends
//! with its holder's: its standard input closes then, and it is killed where
//! it is dropped.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{self, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::clock;
use super::report::Report;
use super::setup::Setup;

/// How long a process may take to end by itself.
const END: Duration = Duration::from_secs(6);

/// The hidden subcommand that a process of the demo is started by, as `cli.rs`
/// has it.
pub const SUBCOMMAND: &str = "demo-process";

pub struct Child {
    process: process::Child,
    input: Option<process::ChildStdin>,
}

impl Child {
    /// Starts a process of the program; `hear` is called in a thread of its
    /// own with all that it says, and with `None` at its end.
    ///
    /// # Errors
    ///
    /// Where the program cannot be started.
    pub fn start(
        program: &Path,
        setup: &Setup,
        mut hear: impl FnMut(Option<Report>) + Send + 'static,
    ) -> io::Result<Self> {
        let mut process = Command::new(program)
            .arg(SUBCOMMAND)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // The terminal's Ctrl-C is for the stage alone, which ends the others in order.
            .process_group(0)
            .spawn()?;
        let (mut input, output) = (process.stdin.take(), process.stdout.take());
        let mut line = serde_json::to_vec(setup).map_err(io::Error::other)?;
        line.push(b'\n');
        input.iter_mut().try_for_each(|input| input.write_all(&line))?;
        if let Some(output) = output {
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if let Ok(report) = serde_json::from_str(&line) {
                        hear(Some(report));
                    }
                }
                hear(None);
            });
        }
        Ok(Self { process, input })
    }

    /// Says a line on its standard input.
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

    /// Asks it to end, and waits for that; kills it where it takes too long.
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

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

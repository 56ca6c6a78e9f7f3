//! A command that runs under the receiver: its environment, its signals, its end.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::SIGINT;

use crate::command::{Exit, say};

/// The command that was given after `--`.
#[derive(Debug)]
pub struct Wrapped {
    name: String,
    process: Child,
    ended: Option<(ExitStatus, Instant)>,
    /// Whether it was told to end by a signal before.
    was_told: bool,
}

impl Wrapped {
    /// Runs the command with its telemetry pointed at `receiver`. With `shares_stdout` it
    /// may write to standard output; otherwise its standard output goes to standard error.
    pub fn spawn(command: &[OsString], receiver: SocketAddr, shares_stdout: bool) -> anyhow::Result<Self> {
        let (program, args) = command.split_first().expect("a command has a first word");
        let name = program.to_string_lossy().into_owned();
        let mut process = Command::new(program);
        process
            .args(args)
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{receiver}"))
            .env("OTEL_EXPORTER_OTLP_INSECURE", "true")
            .env("OTEL_TRACES_EXPORTER", "otlp");
        // Variables that name an endpoint more precisely would win.
        for name in ["TRACES", "METRICS", "LOGS"] {
            process.env_remove(format!("OTEL_EXPORTER_OTLP_{name}_ENDPOINT"));
        }
        if !shares_stdout {
            // Standard output is for the report alone.
            process.stdout(Stdio::from(std::io::stderr()));
        }
        let process = process
            .spawn()
            .with_context(|| format!("cannot run `{name}`: is it installed, and on the PATH?"))?;
        Ok(Self { name, process, ended: None, was_told: false })
    }

    /// Passes a signal on; `false` if the command has ended, or was told before.
    pub fn pass_on(&mut self, signal: i32) -> bool {
        if self.ended.is_some() || std::mem::replace(&mut self.was_told, true) {
            return false;
        }
        // A terminal sends its Ctrl-C to the command too.
        let was_sent_by_terminal = signal == SIGINT && std::io::stdin().is_terminal();
        if !was_sent_by_terminal {
            self.signal(Signal::from_named_raw(signal).unwrap_or(Signal::TERM));
        }
        true
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // It may have ended just now.
            let _ = kill_process(pid, signal);
        }
    }

    /// Whether it has ended by now.
    #[allow(clippy::disallowed_methods, reason = "when a process ended is known by looking at a clock")]
    pub fn has_ended(&mut self) -> anyhow::Result<bool> {
        if self.ended.is_none()
            && let Some(status) = self.process.try_wait().context("cannot wait for the command")?
        {
            self.ended = Some((status, Instant::now()));
        }
        Ok(self.ended.is_some())
    }

    /// How long ago it ended.
    pub fn ended_for(&self) -> Duration {
        self.ended.map(|(_, at)| at.elapsed()).unwrap_or_default()
    }

    /// Waits for its end, and kills it if it does not end.
    pub fn finish(&mut self) -> anyhow::Result<()> {
        const PATIENCE: u32 = 40;
        for patience in 0..PATIENCE {
            if self.has_ended()? {
                return Ok(());
            }
            if patience == 0 {
                self.signal(Signal::TERM);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.process.kill();
        self.process.wait().context("cannot wait for the command")?;
        self.has_ended().map(|_| ())
    }

    /// Its exit code, or 128 plus the signal that ended it, as shells report it.
    pub fn exit_code(&self) -> Option<u8> {
        use std::os::unix::process::ExitStatusExt;
        let (status, _) = self.ended?;
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal))?;
        Some(u8::try_from(code).unwrap_or(u8::MAX))
    }

    /// Says how the command ended, if that differs from tracelink's own end.
    pub fn tell(&self, exit: Exit) {
        let code = self.exit_code().map_or("unknown".to_owned(), |code| code.to_string());
        say(&format!("tracelink: `{}` ended with {code}, tracelink ends with {}", self.name, exit.code()));
    }
}

impl Drop for Wrapped {
    fn drop(&mut self) {
        // An error of ours must not leave it running.
        if self.ended.is_none() {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

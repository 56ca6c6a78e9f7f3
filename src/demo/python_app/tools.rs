//! Runs the tools that make the environment, and reads their output line by line, so that a
//! person sees the progress and may interrupt.

use std::cell::RefCell;
use std::io;
use std::ops::ControlFlow;
use std::process::Command;
use std::rc::Rc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use super::error::EnvironmentError;
use super::process::{Ended, Process, SharedReaper};
use super::reaper::Reaper;

/// How often the listener may interrupt.
const TICK: Duration = Duration::from_millis(50);

/// Events while the environment is made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SetupStep {
    /// Another run makes it; this one waits.
    Waiting,
    /// It begins, with this tool: `uv`, or a Python such as `python3.12`.
    Begun { with: String },
    /// This package was fetched, as number n of about so many. uv says so when it is done.
    Package { name: String, number: usize, of: usize },
    /// All packages are there, and are installed.
    Installing,
    /// It looks for a `redis-server`, and installs one if there is none.
    RedisServer,
    /// Nothing new.
    Working,
}

/// A callback for the progress. It may interrupt.
pub type SetupListener<'h> = dyn FnMut(SetupStep) -> ControlFlow<()> + 'h;

/// Why it does not go on.
pub enum SetupHalt {
    BrokenOff,
    Error(EnvironmentError),
}

impl<E: Into<EnvironmentError>> From<E> for SetupHalt {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// Runs tools, each to its end.
pub struct Tools<'w, 'h> {
    hear: &'w mut SetupListener<'h>,
    reaper: SharedReaper,
}

/// The output of a tool.
pub struct Outcome {
    pub is_fine: bool,
    pub last_words: String,
}

impl<'w, 'h> Tools<'w, 'h> {
    /// # Errors
    ///
    /// Where there is no `sh`.
    pub fn open(hear: &'w mut SetupListener<'h>) -> Result<Self, EnvironmentError> {
        let cannot_run = |why| EnvironmentError::Tool { tool: Reaper::SHELL.to_owned(), why };
        Ok(Self { hear, reaper: Rc::new(RefCell::new(Reaper::start().map_err(cannot_run)?)) })
    }

    pub fn tell(&mut self, step: SetupStep) -> Result<(), SetupHalt> {
        if (self.hear)(step).is_break() { Err(SetupHalt::BrokenOff) } else { Ok(()) }
    }

    /// Waits a moment.
    pub fn pause(&mut self, step: SetupStep) -> Result<(), SetupHalt> {
        std::thread::sleep(TICK);
        self.tell(step)
    }

    /// Runs a tool to its end. `read` turns its lines into events. `None` if there is no
    /// such tool.
    pub fn run(
        &mut self,
        command: Command,
        mut read: impl FnMut(&str) -> Option<SetupStep>,
    ) -> Result<Option<Outcome>, SetupHalt> {
        let (sender, lines) = channel();
        let tool = command.get_program().to_string_lossy().into_owned();
        let cannot_run = |why| EnvironmentError::Tool { tool: tool.clone(), why };
        let started = Process::start(command, &self.reaper, move |line| {
            let _ = sender.send(line.to_owned());
        });
        let process = match started {
            Ok(process) => process,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(why) => return Err(cannot_run(why).into()),
        };
        let ended = loop {
            match lines.recv_timeout(TICK) {
                Ok(line) => self.tell(read(&line).unwrap_or(SetupStep::Working))?,
                Err(RecvTimeoutError::Timeout) => self.tell(SetupStep::Working)?,
                // It closed its output before it ended.
                Err(RecvTimeoutError::Disconnected) => self.pause(SetupStep::Working)?,
            }
            if let Some(ended) = process.ended().map_err(cannot_run)? {
                break ended;
            }
        };
        let last_words = process.last_words();
        for line in lines.try_iter() {
            if let Some(step) = read(&line) {
                self.tell(step)?;
            }
        }
        Ok(Some(Outcome { is_fine: ended == Ended { code: Some(0) }, last_words }))
    }
}

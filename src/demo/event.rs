//! The events of a run, and how a listener ends the run.

use std::ops::ControlFlow;

use super::error::DemoError;

/// The events of a run, in order.
#[derive(Clone, PartialEq, Debug)]
pub enum DemoEvent {
    /// The broker answers at this URL, which may contain a password.
    Broker { url: String, queue: String, embedded: bool },
    /// A process without a port starts: a real worker, which takes a while.
    Starting { who: String },
    /// A process ended by itself, as its case demands, with its last lines of output.
    Gone { who: String, code: Option<i32>, last_words: String },
    /// The API answers at `http://127.0.0.1:port`.
    Api { address: String },
    /// An order was answered.
    Answered { number: u32, order: String, status: u16, body: String },
    /// All first messages are in the queue, and no worker has begun.
    Queued { tasks: Vec<String> },
    /// It is time to look at the broker: there may be new queues.
    Look,
    /// A worker took a task.
    Took { id: String, task: String, attempt: u32 },
    /// An attempt ended, in a state of Celery's.
    Ended { id: String, task: String, attempt: u32, state: String },
    /// Nothing happened for a moment.
    Waiting,
    /// All tasks are done; the processes are still there.
    Done,
    /// The processes have ended, and sent their last spans; the broker is
    /// still there.
    Closed,
    /// The run failed, and everything is about to be killed.
    Failed,
}

/// A callback for the events. It may end the run early.
pub type Listener<'w> = dyn FnMut(DemoEvent) -> ControlFlow<()> + 'w;

/// Why a run does not go on.
pub enum Halt {
    BrokenOff,
    Error(DemoError),
}

impl<E: Into<DemoError>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// Calls the listener, and ends the run if the listener says so.
pub fn tell(listener: &mut Listener<'_>, event: DemoEvent) -> Result<(), Halt> {
    if listener(event).is_break() { Err(Halt::BrokenOff) } else { Ok(()) }
}

/// Reports a failure to the listener while everything still runs.
pub fn ended(result: Result<(), Halt>, listener: &mut Listener<'_>) -> Result<(), DemoError> {
    match result {
        Ok(()) | Err(Halt::BrokenOff) => Ok(()),
        Err(Halt::Error(error)) => {
            // The run ends anyway.
            let _ = listener(DemoEvent::Failed);
            Err(error)
        }
    }
}

/// Waits until the listener ends the run, if the case is to be kept running. The regular
/// end follows.
pub fn keep_on(is_kept: bool, mut go_on: impl FnMut() -> Result<(), Halt>) -> Result<(), Halt> {
    if !is_kept {
        return Ok(());
    }
    loop {
        match go_on() {
            Ok(()) => {}
            Err(Halt::BrokenOff) => return Ok(()),
            failed => return failed,
        }
    }
}

//! What happens while an application runs, and how a listener ends the run.

use std::ops::ControlFlow;

use super::error::DemoError;

/// What happens in a run, in its order.
#[derive(Clone, PartialEq, Debug)]
pub enum DemoEvent {
    /// The broker answers at this URL, in which a password may stand.
    Broker { url: String, queue: String, embedded: bool },
    /// A process without a port starts: a real worker, which takes its time.
    Starting { who: String },
    /// A process ended by itself, as its case has it, with the last lines that it wrote.
    Gone { who: String, code: Option<i32>, last_words: String },
    /// The API answers at `http://127.0.0.1:port`.
    Api { address: String },
    /// An order was answered.
    Answered { number: u32, order: String, status: u16, body: String },
    /// All first messages are in the queue, and no worker has begun.
    Queued { tasks: Vec<String> },
    /// The broker is to be looked at, where queues may be new.
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
    /// It cannot go on, and everything is about to be killed.
    Failed,
}

/// Is called with what happens, and may end the run early.
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

/// Calls the listener. It goes on unless the listener ends the run.
pub fn tell(listener: &mut Listener<'_>, event: DemoEvent) -> Result<(), Halt> {
    if listener(event).is_break() { Err(Halt::BrokenOff) } else { Ok(()) }
}

/// Tells the listener of a failure while everything still runs.
pub fn ended(result: Result<(), Halt>, listener: &mut Listener<'_>) -> Result<(), DemoError> {
    match result {
        Ok(()) | Err(Halt::BrokenOff) => Ok(()),
        Err(Halt::Error(error)) => {
            // There is nothing left to break off.
            let _ = listener(DemoEvent::Failed);
            Err(error)
        }
    }
}

/// Goes on until the listener breaks it off, where that was asked for; what
/// comes after it is the end in its order.
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

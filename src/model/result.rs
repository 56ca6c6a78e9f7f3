//! What the result backend says of a task.

use super::Timestamp;

/// The states that Celery writes: <https://docs.celeryq.dev/en/stable/userguide/tasks.html#built-in-states>.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TaskStatus {
    Pending,
    Started,
    Retry,
    Success,
    Failure,
    Revoked,
    /// A state of the application's own.
    Custom(Box<str>),
}

impl TaskStatus {
    /// Whether no worker will run the task any more.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Success | Self::Failure | Self::Revoked)
    }
}

/// The value of `celery-task-meta-<id>`, without the task's return value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaskResult {
    pub task_id: Box<str>,
    pub status: TaskStatus,
    /// Of a FAILURE, RETRY or REVOKED.
    pub exception: Option<Exception>,
    /// Whether the traceback names a line that reads a carrier; see
    /// `worker-crashed-reading-context`.
    pub traceback_tail: Option<Box<str>>,
    pub done: Option<Timestamp>,
    /// The worker that ran it: with STARTED, or with `result_extended`.
    pub worker: Option<Box<str>>,
    /// The task's name, with `result_extended`.
    pub task: Option<Box<str>>,
    /// The number of retries, with `result_extended`.
    pub retries: Option<u32>,
}

/// An exception as Celery or a span names it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Exception {
    /// The class name, without its module.
    pub kind: Box<str>,
    /// The message, 512 bytes at most.
    pub message: Box<str>,
}

impl Exception {
    /// Whether it is one of those by which a task tells Celery what to do with
    /// it, and no failure: `celery.exceptions.Ignore`, `Reject` and `Retry`.
    pub fn steers_celery(&self) -> bool {
        matches!(&*self.kind, "Ignore" | "Reject" | "Retry")
    }
}

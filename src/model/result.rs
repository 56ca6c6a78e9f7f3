//! What the result backend says of a task.

use super::{Exception, Timestamp};

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
    /// For FAILURE, RETRY or REVOKED.
    pub exception: Option<Exception>,
    /// What the failing code was reading; `None` without a traceback.
    pub failed_at: Option<FailedAt>,
    pub done: Option<Timestamp>,
    /// The worker that ran it: with STARTED, or with `result_extended`.
    pub worker: Option<Box<str>>,
    /// The task's name, with `result_extended`.
    pub task: Option<Box<str>>,
    /// The number of retries, with `result_extended`.
    pub retries: Option<u32>,
}

impl TaskResult {
    /// The result without the application's texts.
    #[must_use]
    pub fn redacted(self) -> Self {
        Self { exception: self.exception.as_ref().map(Exception::redacted), ..self }
    }
}

/// What the failing code was reading: all that is kept of a traceback.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FailedAt {
    /// A trace context, by its name or through OpenTelemetry's functions.
    Context,
    /// The message's headers, whatever is in them.
    Headers,
    /// Anything else.
    Elsewhere,
}

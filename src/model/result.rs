//! What the result backend says of a task.

use super::{Exception, Timestamp};

/// The states that Celery writes: <https://docs.celeryq.dev/en/stable/userguide/tasks.html#built-in-states>.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
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
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
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
    /// When a look found it; unset where nobody says. Celery dates final results only.
    pub seen: Timestamp,
}

impl TaskResult {
    /// The exception of a task whose process the pool killed at the hard time limit.
    pub const OVER_ITS_LIMIT: &str = "TimeLimitExceeded";

    /// Whether the worker's process died under the task. The main process says so in its place.
    pub fn is_of_a_killed_process(&self) -> bool {
        let kind = self.exception.as_ref().map(|exception| &*exception.kind);
        self.status == TaskStatus::Failure && matches!(kind, Some("WorkerLostError" | Self::OVER_ITS_LIMIT))
    }

    /// Whether it says more recent things than another result of its task: a final one
    /// before any other, then by Celery's clock, then by the looks that found them. Of two
    /// that are alike in that, it is always the same one, so that their order does not matter.
    pub fn supersedes(&self, other: &Self) -> bool {
        let key = |result: &Self| (result.status.is_final(), result.done, result.seen);
        (key(self), self) > (key(other), other)
    }

    /// Whether it says the same, whenever it was found.
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        let Self { task_id, status, exception, failed_at, done, worker, task, retries, seen: _ } = self;
        (task_id, status, exception, failed_at)
            == (&other.task_id, &other.status, &other.exception, &other.failed_at)
            && (done, worker, task, retries) == (&other.done, &other.worker, &other.task, &other.retries)
    }

    /// The result without the application's texts.
    #[must_use]
    pub fn redacted(self) -> Self {
        Self { exception: self.exception.as_ref().map(Exception::redacted), ..self }
    }
}

/// What the failing code was reading: all that is kept of a traceback.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FailedAt {
    /// A trace context, by its name or through OpenTelemetry's functions.
    Context,
    /// The message's headers, whatever is in them.
    Headers,
    /// Anything else.
    Elsewhere,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Regression: of two results without a date, the one counted that was read last.
    #[test]
    fn of_two_results_one_supersedes_the_other() {
        let result = |status, done, seen| TaskResult {
            task_id: "a1".into(),
            status,
            exception: None,
            failed_at: None,
            done: (done > 0).then(|| Timestamp::from_nanos(done)),
            worker: None,
            task: None,
            retries: None,
            seen: Timestamp::from_nanos(seen),
        };
        // Each before the next.
        let ascending = [
            result(TaskStatus::Pending, 0, 1),
            result(TaskStatus::Started, 0, 1),
            result(TaskStatus::Retry, 0, 1),
            result(TaskStatus::Started, 0, 2),
            result(TaskStatus::Success, 3, 1),
            result(TaskStatus::Failure, 3, 1),
            result(TaskStatus::Revoked, 4, 1),
        ];
        for (place, earlier) in ascending.iter().enumerate() {
            for later in &ascending[place + 1..] {
                assert!(later.supersedes(earlier) && !earlier.supersedes(later), "{later:?} {earlier:?}");
            }
            assert!(!earlier.supersedes(earlier));
        }
    }
}

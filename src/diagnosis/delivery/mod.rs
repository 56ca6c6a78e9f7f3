//! 7xx: what the broker and the worker did with the message.

mod duplicate_execution;
mod no_consumer_for_queue;
mod no_worker;
mod redelivered;
mod retry_marked_error;
mod task_expired;
mod task_failed;
mod task_not_registered;
mod task_revoked;
mod unroutable_message;
mod worker_killed;

pub use duplicate_execution::DUPLICATE_EXECUTION;
pub use no_consumer_for_queue::NO_CONSUMER_FOR_QUEUE;
pub use no_worker::NO_WORKER;
pub use redelivered::REDELIVERED;
pub use retry_marked_error::RETRY_MARKED_ERROR;
pub use task_expired::TASK_EXPIRED;
pub use task_failed::TASK_FAILED;
pub use task_not_registered::TASK_NOT_REGISTERED;
pub use task_revoked::TASK_REVOKED;
pub use unroutable_message::UNROUTABLE_MESSAGE;
pub use worker_killed::WORKER_KILLED;

//! Celery's messages and results as kombu writes them, and how they lie in Redis.
//!
//! <https://docs.celeryq.dev/en/stable/internals/protocol.html>

mod body;
mod bounded;
mod carrier;
mod compression;
mod context_search;
mod cursor;
mod envelope;
mod field;
mod json_path;
mod lenient;
mod message;
mod missing;
mod msgpack;
mod pickle;
mod plain;
mod redact;
pub mod redis_layout;
mod result;
mod text;
mod traceback;
mod wrapping;

pub use body::{BodyError, TaskBody};
pub use compression::{DecompressError, decompress};
pub use envelope::{Envelope, NotAMessage, unacked_envelope};
pub use message::{QueuePosition, ReadOptions, read_message};
pub use redact::{redact_message, redact_result, redact_unacked};
pub use result::read_result;

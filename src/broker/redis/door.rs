//! What fuzzing reads with (`crate::fuzzing`). It is private to this room otherwise.

pub use super::connection::reply::{Reply, ServerError};
pub use super::connection::resp::read;
pub use super::monitor::line::Command;

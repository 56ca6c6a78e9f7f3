//! Who has to fix an error.

use std::error::Error;

/// Who can fix an error. A bug is neither: it panics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blame {
    /// The request itself is wrong, whatever the environment: the command line, or a
    /// settings file.
    Usage,
    /// Something in the environment is missing or not available: a broker, a port, a file.
    Environment,
}

/// An error that says who can fix it. `command/exit.rs` asks each type that implements this
/// (a test demands it) and chooses the exit code.
pub trait Blamed: Error {
    fn blame(&self) -> Blame;
}

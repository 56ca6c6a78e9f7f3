//! Whose an error is.

use std::error::Error;

/// Who can mend an error. A bug is none of these: it panics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blame {
    /// What was asked for is wrong, whatever is there: the command line, or a file of
    /// settings.
    Usage,
    /// What was asked for is not there, or is not to be had: a broker, a port, a file.
    Environment,
}

/// An error that says whose it is. `command/exit.rs` asks each type that implements this
/// (a test demands it), and gives the exit code.
pub trait Blamed: Error {
    fn blame(&self) -> Blame;
}

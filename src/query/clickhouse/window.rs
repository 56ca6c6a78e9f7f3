//! The time that is asked for.

use std::time::Duration;

use crate::model::Timestamp;

/// From a time to another, which does not belong to it. The other side of a hand-off and the
/// rest of a trace may lie outside: they are looked for within a margin on both sides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    pub from: Timestamp,
    pub to: Timestamp,
    pub margin: Duration,
}

impl Window {
    /// It with its margins.
    #[must_use]
    pub fn padded(&self) -> Self {
        Self { from: self.from.before(self.margin), to: self.to.after(self.margin), margin: Duration::ZERO }
    }

    /// From the earlier beginning to the later end.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        Self { from: self.from.min(other.from), to: self.to.max(other.to), margin: self.margin }
    }
}

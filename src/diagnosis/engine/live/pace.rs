//! How much is done in one round.

/// How much one round does.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Groups of traces to show, at most.
    pub shown: usize,
    /// Restless units to judge again, at most.
    pub again: usize,
    /// How much [work](Evidence::work) on new groups it takes on. When it has done that
    /// much, the next round goes on with the rest.
    pub work: usize,
    /// Whether populations are judged too. That costs as much as is held.
    pub thorough: bool,
}

impl Pace {
    /// The work of 4,000 traces and tasks, or of one long trace.
    pub const WORK: usize = 8 * 4_000;
}

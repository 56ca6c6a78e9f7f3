//! How much of each kind may be held.

/// How many bytes the parts of the evidence may take, as far as they are counted
/// ([`Evidence::bytes`](super::Evidence::bytes)).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Everything together. Where more is held, traces and tasks are let go,
    /// oldest first.
    pub all: usize,
    /// Spans of one trace. What comes for it past them is left out, so that others
    /// keep their room.
    pub one_trace: usize,
    /// Marks of what was let go. The oldest are forgotten first.
    pub marks: usize,
    /// Looks at brokers, and names of theirs. Looks that are missed the least go
    /// first, and names that come when there is no room are left out.
    pub brokers: usize,
    /// Processes and the requests that they served and sent. The earliest go
    /// first, and processes that come when there is no room are only counted.
    pub senders: usize,
    /// Findings that stand. Those that come when there is no room are not told
    /// before the last report.
    pub findings: usize,
    /// How much is let go at a time.
    pub freed_at_once: usize,
}

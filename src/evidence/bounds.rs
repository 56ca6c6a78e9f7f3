//! How much of each kind of evidence may be held.

/// How many bytes the parts of the evidence may take, as far as they are counted
/// ([`Evidence::bytes`](super::Evidence::bytes)).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Everything together. Where more is held, traces and tasks are let go,
    /// oldest first.
    pub all: usize,
    /// Spans of one trace. Further spans of it are left out, so that other traces keep
    /// their room.
    pub one_trace: usize,
    /// Marks of what was let go. The oldest are forgotten first.
    pub marks: usize,
    /// Looks at brokers, and the names in them. The looks that are missed least go first;
    /// names that find no room are left out.
    pub brokers: usize,
    /// Processes and the requests that they served and sent. The earliest requests go
    /// first; processes that find no room are only counted.
    pub senders: usize,
    /// Open findings. Those that find no room appear in the last report only.
    pub findings: usize,
    /// How much is let go at a time.
    pub freed_at_once: usize,
}

//! How much a report lists.

/// How much a report lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listing {
    /// Hand-offs of one finding, or of none, at most.
    pub handoffs: usize,
    /// Messages, at most.
    pub messages: usize,
    /// Traces without a finding, at most.
    pub healthy_traces: usize,
    /// Traces with a finding, at most.
    pub broken_traces: usize,
    /// Spans of one trace, at most.
    pub spans: usize,
}

impl Default for Listing {
    fn default() -> Self {
        Self { handoffs: 100, messages: 1_000, healthy_traces: 10, broken_traces: 50, spans: 500 }
    }
}

//! Running counts of what came and of what did not stay.

/// Only [`Evidence`](super::Evidence) counts; others read.
#[derive(Clone, Copy, Default, Debug)]
#[non_exhaustive]
pub struct Counts {
    /// Spans that came, those that could not be kept included.
    pub received_spans: u64,
    /// Spans that could not be kept.
    pub rejected_spans: u64,
    /// Traces that were let go for want of memory.
    pub evicted_traces: u64,
    /// Messages of tasks that were let go.
    pub evicted_messages: u64,
    /// Requests and looks that whoever saved the evidence had no room for.
    pub not_saved: u64,
    /// Metric points, accepted and not looked into.
    pub metric_points: u64,
    /// Log records, accepted and not looked into.
    pub log_records: u64,
    /// Entries of a broker's lists that are no Celery message.
    pub foreign_entries: u64,
    /// Messages that were read twice because a list moved.
    pub messages_read_twice: u64,
}

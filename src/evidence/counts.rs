//! Running counts of what came and of what was not kept.

/// Only [`Evidence`](super::Evidence) counts; others read the counts.
#[derive(Clone, Copy, Default, Debug)]
#[non_exhaustive]
pub struct Counts {
    /// All spans that came, including those that could not be kept.
    pub received_spans: u64,
    /// Spans that could not be kept.
    pub rejected_spans: u64,
    /// Traces that were let go because memory was short.
    pub evicted_traces: u64,
    /// Messages of tasks that were let go.
    pub evicted_messages: u64,
    /// Requests and looks that there was no room to save.
    pub not_saved: u64,
    /// Metric points. They are accepted and not read.
    pub metric_points: u64,
    /// Log records. They are accepted and not read.
    pub log_records: u64,
    /// Entries of a broker's lists that are no Celery message.
    pub foreign_entries: u64,
    /// Messages that were read twice because a list moved.
    pub messages_read_twice: u64,
}

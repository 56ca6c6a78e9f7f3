//! How much a question may cost the server, and us.

use std::time::Duration;

/// What every question is bounded by. The first four are settings that each request carries
/// (<https://clickhouse.com/docs/operations/settings/query-complexity>).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// `max_rows_to_read`.
    pub rows: u64,
    /// `max_bytes_to_read`.
    pub bytes: u64,
    /// `max_execution_time`. An answer that takes a little longer than this is given up.
    pub time: Duration,
    /// `max_memory_usage`, in bytes.
    pub memory: u64,
    /// The most bytes of one answer that are read.
    pub answer: u64,
    /// The longest row of an answer, in bytes.
    pub row: usize,
}

impl Limits {
    pub const ROWS: u64 = 2_000_000_000;
    pub const BYTES: u64 = 200 << 30;
    pub const TIME: Duration = Duration::from_mins(1);
    pub const MEMORY: u64 = 4 << 30;
    /// A sample is a few megabytes.
    const ANSWER: u64 = 512 << 20;
    /// A span with 128 links and eight exceptions is a tenth of it.
    const ROW: usize = 1 << 20;

    /// How long an answer is waited for beyond the limit of the server, which checks it only
    /// between blocks.
    pub(super) const GRACE: Duration = Duration::from_secs(10);
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rows: Self::ROWS,
            bytes: Self::BYTES,
            time: Self::TIME,
            memory: Self::MEMORY,
            answer: Self::ANSWER,
            row: Self::ROW,
        }
    }
}

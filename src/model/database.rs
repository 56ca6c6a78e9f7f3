//! What a store of spans was asked, and what it counted itself. A report has both beside what
//! was judged, so that nobody takes one for the other.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Distribution, RetryShare, Timestamp};

/// The store that a report is about.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct DatabaseReport {
    /// Its URL, without the password.
    pub url: String,
    /// `database.table`.
    pub table: String,
    /// Whose table it is: `otel-collector`, `otel-collector-json` or `signoz`.
    pub layout: &'static str,
    /// What the server says that it is.
    pub version: String,
    /// The time that was asked for.
    pub from: Timestamp,
    pub to: Timestamp,
    /// How far beyond it the other side of a hand-off was looked for, in seconds.
    pub margin_s: u64,
    /// Whether a part of the traces was judged. Then findings and their counts are about
    /// that part, and `groups` says how much of each group it is.
    pub is_sample: bool,
    /// Spans and traces that began within the time, by the store's count.
    pub spans: u64,
    pub traces: u64,
    /// Hand-offs with a side within the time, by the store's count: tasks with a message's
    /// id, and runs without one.
    pub handoffs: u64,
    /// How many of them were fetched and judged.
    pub looked_at: u64,
    /// Hand-offs by task, services and what became of them, the largest group first.
    pub groups: Vec<HandoffGroup>,
    /// Hand-offs in groups that are not listed.
    pub not_listed: u64,
    /// From the end of the PRODUCER span to the start of the run, by the store.
    pub queue_wait_ms: Option<Distribution>,
    /// From the start of the request to the end of the last span of its trace, by the store.
    pub end_to_end_ms: Option<Distribution>,
    pub retries: RetryShare,
    /// Failed runs by exception.
    pub failures: BTreeMap<String, u64>,
    /// What the store does not keep, and what follows from it.
    pub lacks: Vec<String>,
    /// How many questions it was asked, and how much it read for them, as far as it says so.
    pub questions: u64,
    pub read_rows: u64,
    pub read_bytes: u64,
}

/// Hand-offs of one task between two services that came out alike.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct HandoffGroup {
    pub task: String,
    /// The service that published; empty if it was not seen.
    pub producer: String,
    /// The service that ran it; empty if it was not seen.
    pub consumer: String,
    /// `whole`, `linked`, `new-root`, `other-trace`, `missing-parent`, `no-producer` or
    /// `no-consumer`.
    pub outcome: &'static str,
    /// By the store's count.
    pub count: u64,
    /// How many of them were fetched and judged.
    pub looked_at: u64,
}

impl HandoffGroup {
    /// Whether its hand-offs are connected on both sides.
    pub fn is_whole(&self) -> bool {
        matches!(self.outcome, "whole" | "linked")
    }
}

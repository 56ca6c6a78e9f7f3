//! The time that all fragments share.

use crate::model::{SpanReport, Timestamp, TraceReport};

/// From the first start to the last end.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Axis {
    pub start: Timestamp,
    /// Never 0.
    pub millis: f64,
}

impl Axis {
    pub(super) fn over<'t>(traces: impl Iterator<Item = &'t TraceReport> + Clone) -> Option<Self> {
        let spans = || traces.clone().flat_map(|trace| &trace.spans);
        let start = spans().map(|span| span.start).min()?;
        let end = |span: &SpanReport| span.start.millis_since(start) + span.duration_ms;
        let millis = spans().map(end).fold(0.0, f64::max);
        Some(Self { start, millis: millis.max(0.001) })
    }

    /// How many of `columns` cells lie before a bar, and how many it fills: at least one.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "columns of a terminal"
    )]
    pub fn cells(&self, from: f64, length: f64, columns: usize) -> (usize, usize) {
        let scale = columns as f64 / self.millis;
        let before = ((from * scale) as usize).min(columns.saturating_sub(1));
        let filled = (((length * scale).ceil() as usize).max(1)).min(columns - before);
        (before, filled)
    }
}

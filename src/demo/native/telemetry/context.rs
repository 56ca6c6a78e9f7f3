//! The identity of a span, as processes pass it on.

use crate::model::{Sampling, SpanContext};

/// The identity of a span, as it travels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Context {
    pub trace_id: u128,
    pub span_id: u64,
    /// The span's own parent, which Jaeger's header names too; 0 for none, and
    /// for a span of another process.
    pub parent_id: u64,
    pub sampled: bool,
}

impl From<SpanContext> for Context {
    fn from(context: SpanContext) -> Self {
        Self {
            trace_id: u128::from_be_bytes(context.trace_id.bytes()),
            span_id: u64::from_be_bytes(context.span_id.bytes()),
            parent_id: 0,
            sampled: context.sampling != Sampling::NotSampled,
        }
    }
}

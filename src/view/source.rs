//! What a view asks for when somebody looks closer.

use crate::model::{SpanId, TraceId, TraceReport};

/// Knows more of a trace than the events say. A view calls it when a person opens
/// something, so an answer may cost as much as one trace has spans.
pub trait Source: Send + Sync {
    /// The trace with up to `most` of its spans; `None` if it was let go.
    fn trace(&self, id: TraceId, most: usize) -> Option<TraceReport>;

    /// What is kept of a span; `None` if it was let go.
    fn span(&self, trace: TraceId, span: SpanId) -> Option<SpanFacts>;
}

/// What is kept of a span: what rules read, and nothing else. Raw text from outside.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct SpanFacts {
    /// Attributes by the name that OpenTelemetry gives them.
    pub attributes: Vec<(&'static str, String)>,
    /// Those of the process that sent it.
    pub resource: Vec<(&'static str, String)>,
    /// Its events, as `name: text`: exceptions are all that is kept.
    pub events: Vec<String>,
    /// The trace and span of each link.
    pub links: Vec<(TraceId, SpanId)>,
}

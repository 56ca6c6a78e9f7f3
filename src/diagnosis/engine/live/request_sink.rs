//! Files the spans of a request while room is made for them and others come in between.

use super::live_judge::LiveJudge;
use crate::evidence::SpanSource;
use crate::model::{Invalid, Resource, Scope, Span};
use crate::wire::otlp::Sink;

/// Takes the spans of one request, and makes room in between: a request of 3 MiB may hold a
/// million spans.
#[derive(Debug)]
pub struct RequestSink<'w> {
    watch: &'w mut LiveJudge,
    source: &'w mut SpanSource,
}

impl LiveJudge {
    /// Begins a request. Until [`LiveJudge::end_request`] it is taken in pieces
    /// ([`LiveJudge::taking`]). Other requests and rounds may come between two pieces, and
    /// nothing that comes meanwhile settles.
    pub fn begin_request(&mut self) -> SpanSource {
        let source = SpanSource::of_next_request(&mut self.evidence);
        self.being_taken.insert(source.number(), self.evidence.now());
        source
    }

    /// Takes a piece of a request.
    pub const fn request_sink<'w>(&'w mut self, source: &'w mut SpanSource) -> RequestSink<'w> {
        RequestSink { watch: self, source }
    }

    /// Ends a request, whether all of it came or not.
    pub fn end_request(&mut self, source: SpanSource) {
        self.being_taken.remove(&source.number());
        source.close(&mut self.evidence);
        self.make_room();
    }

    /// Takes a request in one piece.
    pub fn take_request<T>(&mut self, decode: impl FnOnce(&mut RequestSink<'_>) -> T) -> T {
        let mut source = self.begin_request();
        let decoded = decode(&mut self.request_sink(&mut source));
        self.end_request(source);
        decoded
    }
}

impl Sink for RequestSink<'_> {
    fn resource(&mut self, resource: &Resource<'_>) {
        self.source.resource(&mut self.watch.evidence, resource);
    }

    fn scope(&mut self, scope: &Scope<'_>) {
        self.source.scope(&mut self.watch.evidence, scope);
    }

    #[inline]
    fn span(&mut self, span: &Span<'_>) {
        self.source.span(&mut self.watch.evidence, span);
        self.watch.keep_room();
    }

    fn refused(&mut self, why: Invalid, at: &str) {
        self.source.refused(&mut self.watch.evidence, why, at);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::live::MemoryPlan;
    use crate::model::{SpanId, TraceId};

    /// Regression: 900,000 spans in one request of 3 MiB took three times the allowed
    /// memory before any room was made.
    #[test]
    fn room_is_made_while_a_request_is_read() {
        let bounds = MemoryPlan::for_evidence(8 << 20);
        let mut watch = LiveJudge::new(Duration::from_secs(6), bounds);
        let mut source = watch.begin_request();
        let mut taking = watch.request_sink(&mut source);
        let mut most = 0;
        for number in 1..60_000_u64 {
            let [trace, span] = [number.wrapping_mul(0x9e37_79b9_7f4a_7c15), number].map(u64::to_be_bytes);
            let trace_id: [u8; 16] = [trace, span].concat().try_into().expect("sixteen bytes");
            taking.span(&Span {
                trace_id: TraceId::new(trace_id),
                span_id: SpanId::new(span),
                name: format!("GET /orders/{number}").into(),
                ..Span::default()
            });
            if number % 64 == 0 {
                most = most.max(taking.watch.bytes());
            }
        }
        assert!(most <= bounds.all + bounds.all / 32, "{most} bytes were held");
        let held = watch.evidence.spans.held_traces();
        assert!(held > 2_000, "{held} traces are held");
    }
}

//! Takes the spans of requests into the evidence, with the process that sent them.

use super::Evidence;
use super::processes::{Instrumentor, Sender};
use crate::model::{Invalid, Resource, Scope, Span};
use crate::wire::otlp::Sink;

/// Takes the spans of requests into the evidence.
#[derive(Debug)]
pub struct SpanIntake<'e> {
    evidence: &'e mut Evidence,
    source: SpanSource,
}

impl<'e> SpanIntake<'e> {
    pub fn new(evidence: &'e mut Evidence) -> Self {
        Self { evidence, source: SpanSource::default() }
    }

    /// The spans that follow come from another request.
    pub fn next_request(&mut self) {
        self.source.next_request(self.evidence);
    }
}

impl Sink for SpanIntake<'_> {
    fn resource(&mut self, resource: &Resource<'_>) {
        self.source.resource(self.evidence, resource);
    }

    fn scope(&mut self, scope: &Scope<'_>) {
        self.source.scope(self.evidence, scope);
    }

    fn span(&mut self, span: &Span<'_>) {
        self.source.span(self.evidence, span);
    }

    fn refused(&mut self, why: Invalid, at: &str) {
        self.source.refused(self.evidence, why, at);
    }
}

/// The request that is being read, and the process that sent its spans. It borrows no
/// evidence, so that its owner can make room between two spans, or read another request in
/// between.
#[derive(Default, Debug)]
pub struct SpanSource {
    request: u32,
    sender: Option<Sender>,
}

impl SpanSource {
    pub fn of_next_request(evidence: &mut Evidence) -> Self {
        Self { request: evidence.next_request(), sender: None }
    }

    /// Ends the request, and begins another.
    pub fn next_request(&mut self, evidence: &mut Evidence) {
        let next = Self::of_next_request(evidence);
        std::mem::replace(self, next).close(evidence);
    }

    /// The number of the request.
    pub const fn number(&self) -> u32 {
        self.request
    }

    /// Ends the request.
    pub fn close(self, evidence: &mut Evidence) {
        evidence.exports.end(self.request);
    }

    pub fn resource(&mut self, evidence: &mut Evidence, resource: &Resource<'_>) {
        self.sender = Some(evidence.sender(resource));
    }

    pub fn scope(&mut self, evidence: &mut Evidence, scope: &Scope<'_>) {
        if let Some(found) = Instrumentor::of(scope) {
            let sender = self.sender.get_or_insert_with(|| evidence.sender(&Resource::default()));
            evidence.processes.has_instrumentor(sender, found);
        }
    }

    #[inline]
    pub fn span(&mut self, evidence: &mut Evidence, span: &Span<'_>) {
        let sender = self.sender.get_or_insert_with(|| evidence.sender(&Resource::default()));
        let redacted = if evidence.shows_messages { None } else { span.redacted() };
        evidence.add_span(redacted.as_ref().unwrap_or(span), sender, self.request);
    }

    /// Whether there is nothing new in a span that a store shows again: an earlier answer
    /// brought it, or its trace was let go or takes no more.
    pub fn is_known(&mut self, evidence: &mut Evidence, span: &Span<'_>) -> bool {
        let sender = self.sender.get_or_insert_with(|| evidence.sender(&Resource::default()));
        let fingerprint = sender.process.fingerprint_of(span);
        match evidence.spans.trace(span.trace_id) {
            Some(trace) => {
                let brought = trace.brought_by(span.span_id, fingerprint);
                trace.is_cut() || brought.is_some_and(|request| request != self.request)
            }
            None => evidence.has_let_go_trace(span.trace_id),
        }
    }

    pub fn refused(&self, evidence: &mut Evidence, why: Invalid, at: &str) {
        let service = self.sender.as_ref().map(|sender| &*sender.process.service);
        evidence.add_rejected(why, service, at);
    }
}

//! Where spans come in: each request's spans, with the process that sent them.

use std::sync::Arc;

use super::{Evidence, Process};
use crate::model::{Invalid, Resource, Scope, Span};
use crate::wire::otlp::Sink;

/// Takes the spans of requests into the evidence.
#[derive(Debug)]
pub struct Intake<'e> {
    evidence: &'e mut Evidence,
    request: u32,
    process: Option<Arc<Process>>,
}

impl<'e> Intake<'e> {
    pub fn new(evidence: &'e mut Evidence) -> Self {
        Self { evidence, request: 0, process: None }
    }

    /// What follows is of another request.
    pub fn next_request(&mut self) {
        self.request = self.evidence.next_request();
        self.process = None;
    }
}

impl Sink for Intake<'_> {
    fn resource(&mut self, resource: &Resource<'_>) {
        self.process = Some(self.evidence.process(resource));
    }

    fn scope(&mut self, _: &Scope<'_>) {}

    fn span(&mut self, span: &Span<'_>) {
        let process = self.process.get_or_insert_with(|| self.evidence.process(&Resource::default()));
        self.evidence.saw_span(span, &Arc::clone(process), self.request);
    }

    fn refused(&mut self, why: Invalid, at: &str) {
        let service = self.process.as_ref().map(|process| Arc::clone(&process.service));
        self.evidence.saw_invalid(why, service.as_deref(), at);
        self.evidence.rejected_spans += 1;
    }
}

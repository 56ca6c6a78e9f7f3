//! Where spans come in: each request's spans, with the process that sent them.

use super::Evidence;
use super::instrumentors::Instrumentor;
use super::process::Sender;
use crate::model::{Invalid, Resource, Scope, Span};
use crate::wire::otlp::Sink;

/// Takes the spans of requests into the evidence.
#[derive(Debug)]
pub struct Intake<'e> {
    evidence: &'e mut Evidence,
    request: u32,
    sender: Option<Sender>,
}

impl<'e> Intake<'e> {
    pub fn new(evidence: &'e mut Evidence) -> Self {
        Self { evidence, request: 0, sender: None }
    }

    /// What follows is of another request.
    pub fn next_request(&mut self) {
        self.request = self.evidence.next_request();
        self.sender = None;
    }
}

impl Sink for Intake<'_> {
    fn resource(&mut self, resource: &Resource<'_>) {
        self.sender = Some(self.evidence.sender(resource));
    }

    fn scope(&mut self, scope: &Scope<'_>) {
        if let Some(found) = Instrumentor::of(scope) {
            let sender = self.sender.get_or_insert_with(|| self.evidence.sender(&Resource::default()));
            self.evidence.processes.has_instrumentor(sender, found);
        }
    }

    fn span(&mut self, span: &Span<'_>) {
        let sender = self.sender.get_or_insert_with(|| self.evidence.sender(&Resource::default()));
        let told = if self.evidence.shows_messages { None } else { span.told() };
        self.evidence.saw_span(told.as_ref().unwrap_or(span), sender, self.request);
    }

    fn refused(&mut self, why: Invalid, at: &str) {
        let service = self.sender.as_ref().map(|sender| &*sender.process.service);
        self.evidence.saw_invalid(why, service, at);
        self.evidence.rejected_spans += 1;
    }
}

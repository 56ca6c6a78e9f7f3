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
    desk: Desk,
}

impl<'e> Intake<'e> {
    pub fn new(evidence: &'e mut Evidence) -> Self {
        Self { evidence, desk: Desk::default() }
    }

    /// What follows is of another request.
    pub fn next_request(&mut self) {
        self.desk = Desk::of_next_request(self.evidence);
    }
}

impl Sink for Intake<'_> {
    fn resource(&mut self, resource: &Resource<'_>) {
        self.desk.resource(self.evidence, resource);
    }

    fn scope(&mut self, scope: &Scope<'_>) {
        self.desk.scope(self.evidence, scope);
    }

    fn span(&mut self, span: &Span<'_>) {
        self.desk.span(self.evidence, span);
    }

    fn refused(&mut self, why: Invalid, at: &str) {
        self.desk.refused(self.evidence, why, at);
    }
}

/// What is known of the spans that come: their request, and who sent them. It holds
/// no evidence, so that whoever does may look after it between two spans.
#[derive(Clone, Default, Debug)]
pub struct Desk {
    request: u32,
    sender: Option<Sender>,
}

impl Desk {
    pub fn of_next_request(evidence: &mut Evidence) -> Self {
        Self { request: evidence.next_request(), sender: None }
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
        let told = if evidence.shows_messages { None } else { span.told() };
        evidence.saw_span(told.as_ref().unwrap_or(span), sender, self.request);
    }

    pub fn refused(&self, evidence: &mut Evidence, why: Invalid, at: &str) {
        let service = self.sender.as_ref().map(|sender| &*sender.process.service);
        evidence.saw_rejected(why, service, at);
    }
}

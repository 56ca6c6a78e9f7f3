//! Which formats of context each service was seen to read.

use std::collections::BTreeSet;

use crate::evidence::{Continuity, Evidence, Handoff};
use crate::model::ContextFormat;

/// Services, each with a format that it was seen to read.
#[derive(Debug)]
pub struct Readers<'e>(BTreeSet<(&'e str, ContextFormat)>);

impl<'e> Readers<'e> {
    pub(super) fn of(evidence: &'e Evidence) -> Self {
        // A store and files of spans have tasks without messages, which show nothing here.
        let tasks = evidence.tasks.iter().filter(|task| !task.messages.is_empty());
        let handoffs = tasks.flat_map(|task| task.handoffs(evidence));
        let whole = handoffs.filter(|handoff| handoff.continuity() == Some(Continuity::Whole));
        Self(whole.filter_map(|handoff| only_format(&handoff)).collect())
    }

    /// Whether a run of this service was seen to continue a message that carries its
    /// context in this format only. Then the service reads it.
    pub fn include(&self, service: &str, format: ContextFormat) -> bool {
        self.0.iter().any(|(reader, read)| *reader == service && *read == format)
    }
}

/// The service that ran a task, if the message carries its context in one format only, and
/// that format.
fn only_format<'e>(handoff: &Handoff<'e>) -> Option<(&'e str, ContextFormat)> {
    let valid = handoff.message()?.contexts.iter().filter(|found| found.context().is_some());
    let formats: BTreeSet<_> = valid.map(|found| found.format).filter(|format| !format.is_vendor()).collect();
    let only = formats.first().copied().filter(|_| formats.len() == 1)?;
    Some((handoff.consumer()?.span.service(), only))
}

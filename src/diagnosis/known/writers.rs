//! Which formats of context each publishing service was seen to write.

use std::collections::{BTreeMap, BTreeSet};

use crate::evidence::{Evidence, Handoff};
use crate::model::ContextFormat;

/// Services whose instrumentor published, each with the formats in the flat headers of its
/// messages, or `None` where two messages differ.
#[derive(Debug)]
pub struct Writers<'e>(BTreeMap<&'e str, Option<BTreeSet<ContextFormat>>>);

impl<'e> Writers<'e> {
    pub(super) fn of(evidence: &'e Evidence) -> Self {
        let mut writers = BTreeMap::new();
        // Most tasks of a store, or of files of spans, have no message. Joining them would
        // take as long as judging does.
        let tasks =
            evidence.tasks.iter().filter(|task| !task.messages.is_empty() && !task.producers.is_empty());
        let handoffs = tasks.flat_map(|task| task.handoffs(evidence));
        for (service, formats) in handoffs.filter_map(|handoff| written(&handoff)) {
            let known = writers.entry(service).or_insert_with(|| Some(formats.clone()));
            if known.as_ref() != Some(&formats) {
                *known = None;
            }
        }
        Self(writers)
    }

    /// The formats that this service writes, if all its messages that were seen agree. What
    /// its other messages carry can be concluded from them.
    pub fn formats_of(&self, service: &str) -> Option<&BTreeSet<ContextFormat>> {
        self.0.get(service)?.as_ref()
    }
}

fn written<'e>(handoff: &Handoff<'e>) -> Option<(&'e str, BTreeSet<ContextFormat>)> {
    let (producer, message) = (handoff.instrumented_producer()?, handoff.message()?);
    let flat = message.contexts.iter().filter(|found| found.is_flat_header() && found.context().is_some());
    Some((producer.span.service(), flat.map(|found| found.format).collect()))
}

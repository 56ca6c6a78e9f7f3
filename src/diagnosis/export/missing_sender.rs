//! Why a span that a context names was never exported, as far as it shows.

use std::collections::BTreeSet;

use super::missing_in_process::QUEUE;
use crate::diagnosis::advice::export::Receiver;
use crate::diagnosis::advice::processor;
use crate::diagnosis::known::Setting;
use crate::diagnosis::rule::{Known, Occurrence, quote};
use crate::evidence::{Process, SpanRef, StoredSpan, Trace};
use crate::model::{Fix, Message, ParentOrigin, Quote, SpanKind, key};

/// What became of the sender's spans.
pub enum MissingSender<'t> {
    /// Others of this trace came.
    Partly { other: &'t StoredSpan, sent: u64 },
    /// Others came, none of this trace.
    Lost(Setting),
    /// They go to whoever made the agent that wrote the context in these formats.
    Vendors(BTreeSet<&'static str>),
    /// None came. `is_short` says that it looks like a script, which ends with what
    /// its exporter still holds.
    Silent { sender: Setting, is_short: bool },
}

impl<'t> MissingSender<'t> {
    /// Of the sender of the messages that `run` may be a run of.
    pub fn of<'m>(
        trace: &'t Trace,
        run: &StoredSpan,
        messages: impl Iterator<Item = &'m Message>,
        known: &Known<'_>,
    ) -> Self {
        let messages: Vec<_> = messages.collect();
        let origin = run.detail().celery_hostname.as_deref();
        let origins = || messages.iter().filter_map(|message| message.origin.as_deref()).chain(origin);
        if let Some(other) = entry_of_another(trace, run) {
            let sent = known.evidence.processes.of(&other.process).map_or(0, |activity| activity.spans);
            return Self::Partly { other, sent };
        }
        let is_sender =
            |process: &Process| process.pid.is_some() && origins().any(|origin| process.is_origin(origin));
        if let Some((process, _)) = known.evidence.processes.iter().find(|(process, _)| is_sender(process)) {
            return Self::Lost(Setting::of(process));
        }
        let contexts = messages.iter().flat_map(|message| &message.contexts);
        let vendors: BTreeSet<_> =
            contexts.filter(|found| found.format.is_vendor()).map(|found| found.format.label()).collect();
        if !vendors.is_empty() {
            return Self::Vendors(vendors);
        }
        let is_short = origins().any(|origin| known.origins().publishes_in_one_go(origin));
        let unseen = Setting::default().beside(&Setting::of(&run.process));
        let sender = match messages.first() {
            Some(message) => unseen.or_of(message),
            None => unseen,
        };
        Self::Silent { sender, is_short }
    }

    pub fn says(&self, found: Occurrence) -> Occurrence {
        match self {
            Self::Partly { .. } => found.variant("partly").says(
                "the context arrived and so did other spans of its sender, but not the one that it names: a filter drops it, or the exporter's queue was full",
            ),
            Self::Lost(_) => found.variant("lost").says(
                "the context arrived, and the span that it names was never exported, though its process sent others: it ended before its batch left, most likely",
            ),
            Self::Vendors(formats) => found.variant("vendor").says_with(
                "the context arrived beside one in {formats} format, and the span that it names did not: the sender's spans go to a vendor, most likely",
                [(key::FORMATS, formats.iter().copied().collect::<Vec<_>>())],
            ),
            Self::Silent { .. } => found,
        }
    }

    pub fn quote(&self, trace: &Trace) -> Option<Quote> {
        let Self::Partly { other, .. } = self else { return None };
        Some(quote::span(SpanRef { trace, span: other }))
    }

    pub fn fixes(&self, receiver: Receiver<'_>) -> Vec<Fix> {
        match self {
            Self::Partly { other, sent } => {
                let mut fixes = processor::without_a_filter(receiver, &Setting::of(&other.process));
                if *sent >= QUEUE {
                    fixes.rotate_right(1);
                }
                fixes
            }
            Self::Lost(setting) => processor::at_once(receiver, setting),
            Self::Vendors(_) => processor::one_tracer().into(),
            Self::Silent { sender, is_short } => processor::publisher_sends(receiver, sender, *is_short),
        }
    }
}

/// The request or the run of another process that was there before the run: that of
/// the sender, where its spans came. What came in with a message itself is no sender.
fn entry_of_another<'t>(trace: &'t Trace, run: &StoredSpan) -> Option<&'t StoredSpan> {
    let is_entry = |span: &&StoredSpan| {
        let came_in = span.parent.is_none() || span.parent_origin == ParentOrigin::Remote;
        came_in && span.parent != run.parent && span.kind != SpanKind::Client
    };
    let others = trace.spans.iter().filter(|span| span.process != run.process && span.start <= run.start);
    others.filter(is_entry).min_by_key(|span| (span.start, span.id))
}

//! Why a span that a context names was never exported, as far as the evidence shows.

use std::collections::BTreeSet;

use super::missing_in_process::QUEUE;
use crate::diagnosis::advice::export::ExportTarget;
use crate::diagnosis::advice::processor;
use crate::diagnosis::known::SdkSetup;
use crate::diagnosis::rule::{Known, Occurrence, quote};
use crate::evidence::{Process, SpanRef, StoredSpan, Trace};
use crate::model::{Fix, Message, ParentOrigin, Quote, SpanKind, key};

/// What became of the sender's spans.
pub enum MissingSender<'t> {
    /// Other spans of this trace came.
    Partly { other: &'t StoredSpan, sent: u64 },
    /// Other spans came, but none of this trace.
    Lost(SdkSetup),
    /// They go to the vendor whose agent wrote the context in these formats.
    Vendors(BTreeSet<&'static str>),
    /// None came. `is_short` says that the sender looks like a script, and a script may end
    /// before its exporter has sent everything.
    Silent { sender: SdkSetup, is_short: bool },
}

impl<'t> MissingSender<'t> {
    /// What became of the sender of the messages that `run` may be a run of.
    pub fn of<'m>(
        trace: &'t Trace,
        run: &StoredSpan,
        messages: impl Iterator<Item = &'m Message>,
        known: &Known<'_>,
    ) -> Self {
        let messages: Vec<_> = messages.collect();
        let origin = run.attributes().celery_hostname.as_deref();
        let origins = || messages.iter().filter_map(|message| message.origin.as_deref()).chain(origin);
        if let Some(other) = entry_of_another(trace, run) {
            let sent = known.evidence.processes.of(&other.process).map_or(0, |activity| activity.spans);
            return Self::Partly { other, sent };
        }
        let is_sender =
            |process: &Process| process.pid.is_some() && origins().any(|origin| process.is_origin(origin));
        if let Some((process, _)) = known.evidence.processes.iter().find(|(process, _)| is_sender(process)) {
            return Self::Lost(SdkSetup::of(process));
        }
        // Where no process is known by its number: other messages of it name spans that came.
        if let Some(sender) = origins().find_map(|origin| known.origins().sender(origin)) {
            return Self::Lost(SdkSetup::of(&sender.span.process));
        }
        let contexts = messages.iter().flat_map(|message| &message.contexts);
        let vendors: BTreeSet<_> =
            contexts.filter(|found| found.format.is_vendor()).map(|found| found.format.label()).collect();
        if !vendors.is_empty() {
            return Self::Vendors(vendors);
        }
        let is_short = origins().any(|origin| known.origins().publishes_in_one_go(origin));
        let unseen = SdkSetup::default().beside(&SdkSetup::of(&run.process));
        let sender = match messages.first() {
            Some(message) => unseen.or_of(message),
            None => unseen,
        };
        Self::Silent { sender, is_short }
    }

    pub fn says(&self, found: Occurrence) -> Occurrence {
        match self {
            Self::Partly { .. } => found.variant("partly").says(
                "the context arrived, and so did other spans of its sender, but not the span that it names: a filter drops it, or the exporter's queue was full",
            ),
            Self::Lost(_) => found.variant("lost").says(
                "the context arrived, but the span that it names was never exported, although its process sent others: most likely the process ended before it had sent its last batch",
            ),
            Self::Vendors(formats) => found.variant("vendor").says_with(
                "the context arrived together with one in {formats} format, but the span that it names did not: most likely the sender's spans go to a vendor",
                [(key::FORMATS, formats.iter().copied().collect::<Vec<_>>())],
            ),
            Self::Silent { .. } => found,
        }
    }

    pub fn quote(&self, trace: &Trace) -> Option<Quote> {
        let Self::Partly { other, .. } = self else { return None };
        Some(quote::span(SpanRef { trace, span: other }))
    }

    pub fn fixes(&self, receiver: ExportTarget<'_>) -> Vec<Fix> {
        match self {
            Self::Partly { other, sent } => {
                let mut fixes = processor::without_a_filter(receiver, &SdkSetup::of(&other.process));
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

/// The earlier request or run of another process: the sender's, if its spans came. A span
/// that came in with a message itself is no sender.
fn entry_of_another<'t>(trace: &'t Trace, run: &StoredSpan) -> Option<&'t StoredSpan> {
    let is_entry = |span: &&StoredSpan| {
        let came_in = span.parent.is_none() || span.parent_origin == ParentOrigin::Remote;
        came_in && span.parent != run.parent && span.kind != SpanKind::Client
    };
    let others = trace.spans.iter().filter(|span| span.process != run.process && span.start <= run.start);
    others.filter(is_entry).min_by_key(|span| (span.start, span.id))
}

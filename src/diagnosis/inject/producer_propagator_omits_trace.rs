use std::collections::BTreeSet;

use super::publisher::message_without_context;
use crate::diagnosis::advice::{injection, propagators, tracelink};
use crate::diagnosis::known::SdkSetup;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::evidence::{Continuity, Handoff, SpanRef};
use crate::model::{Confidence, Station};

diagnosis! {
    /// ## What it means
    /// The producer is instrumented, made its span, and wrote no context into
    /// the message: its propagators do not include one that carries the trace.
    ///
    /// ## What shows it
    /// An `apply_async/…` span with the message's id, and a message (protocol
    /// 2) without a trace context. It is certain where the message has `baggage`: the
    /// propagators ran, and what they wrote is there. Otherwise the program may take
    /// headers out again after they were written, in a receiver of `before_task_publish`,
    /// say. A message that no look saw is judged by the others of its producer.
    ///
    /// ## How to fix it
    /// Set the default, W3C and its baggage, where the producer makes the setting:
    /// code that calls `set_global_textmap` wins over `OTEL_PROPAGATORS`. Look for `OTEL_PROPAGATORS=none` or `=baggage`, and for a call of
    /// `set_global_textmap` with a propagator that writes nothing.
    pub static PRODUCER_PROPAGATOR_OMITS_TRACE = {
        code: "TL113",
        slug: "producer-propagator-omits-trace",
        station: Some(Station::Inject),
        severity: Error,
        summary: "the producer made its span and wrote no trace context: its propagators leave the trace out",
        fixes: || {
            let written = propagators::write_the_trace(&SdkSetup::default());
            written.into_iter().chain([injection::leave_what_is_written()]).collect()
        },
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    let Some(producer) = handoff.instrumented_producer() else { return Judgment::Clean };
    if handoff.message().is_none() {
        return of_unseen_message(handoff, producer, known);
    }
    let Some(message) = message_without_context(handoff) else { return Judgment::Clean };
    let found = Occurrence::certain()
        .about(handoff)
        .quote(quote::span(producer))
        .quote(quote::no_context(message))
        .mend(propagators::write_the_trace(&SdkSetup::of_producer(handoff)));
    if message.baggage.is_empty() { or_taken_out(found).into() } else { found.into() }
}

/// A message that was taken before a look saw it, by the other messages of its producer.
fn of_unseen_message(handoff: &Handoff<'_>, producer: SpanRef<'_>, known: &Known<'_>) -> Judgment {
    let written = known.writers().formats_of(producer.span.service());
    if handoff.continuity() != Some(Continuity::Orphaned) || !written.is_some_and(BTreeSet::is_empty) {
        return Judgment::Clean;
    }
    let found = Occurrence::likely()
        .about(handoff)
        .says("the two spans of one task lie in two traces, and no other message of the producer carries a trace context: its propagators leave the trace out")
        .quote(quote::span(producer))
        .quote(handoff.consumer().map(quote::span))
        .needs(tracelink::to_see_the_message(known))
        .mend(propagators::write_the_trace(&SdkSetup::of_producer(handoff)));
    or_taken_out(found).into()
}

/// What the propagators wrote may be gone from the message again.
fn or_taken_out(found: Occurrence) -> Occurrence {
    let needs =
        "the receivers of before_task_publish: one that takes headers out of the message leaves the same";
    let found = Occurrence { confidence: found.confidence.max(Confidence::Likely), ..found };
    found.needs(needs).mend([injection::leave_what_is_written()])
}

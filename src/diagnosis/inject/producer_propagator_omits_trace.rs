use super::publisher::message_without_context;
use crate::diagnosis::advice::propagators;
use crate::diagnosis::known::SdkSetup;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::evidence::Handoff;
use crate::model::Station;

diagnosis! {
    /// ## What it means
    /// The producer is instrumented, made its span, and wrote no context into
    /// the message: its propagators do not include one that carries the trace.
    ///
    /// ## What shows it
    /// An `apply_async/…` span with the message's id, and a message (protocol
    /// 2) without a trace context. Both ends of `inject()` are seen, so nothing
    /// else is left.
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
        fixes: || propagators::write_the_trace(&SdkSetup::default()),
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, _: &Known<'_>) -> Judgment {
    let (Some(message), Some(producer)) = (message_without_context(handoff), handoff.instrumented_producer())
    else {
        return Judgment::Clean;
    };
    Occurrence::certain()
        .about(handoff)
        .quote(quote::span(producer))
        .quote(quote::no_context(message))
        .mend(propagators::write_the_trace(&SdkSetup::of_producer(handoff)))
        .into()
}

use std::collections::BTreeSet;

use super::readable::{is_readable, unread_message};
use crate::diagnosis::advice::{carrier, propagators};
use crate::diagnosis::known::Sides;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::evidence::Handoff;
use crate::model::{ContextFormat, FlawKind, Place, Station, key};

diagnosis! {
    /// ## What it means
    /// The message carries a `traceparent` that no conforming reader accepts,
    /// so the worker starts a trace of its own. Most of these were put together
    /// by hand.
    ///
    /// ## What shows it
    /// Upper-case digits, decimal ids, a field of a wrong length, ids of zeros
    /// only, the version `ff`, missing flags, two values; or half of a trace id,
    /// as the propagator `ottrace` writes it. The [W3C
    /// recommendation](https://www.w3.org/TR/trace-context-2/#traceparent-header)
    /// asks for `00-<32 hex>-<16 hex>-<2 hex>` in lower case.
    ///
    /// ## How to fix it
    /// Let a propagator write it, right before the publish, where the headers are at
    /// hand; or in each message that Celery publishes. It writes over a header of the
    /// same name that the program has made. If you must put ids together by hand, pad
    /// them, in lower case: `format(trace_id, "032x")` and `format(span_id, "016x")`.
    ///
    /// Half an id comes from the propagator `ottrace`: it has to go on both sides.
    ///
    /// ## What it is not
    /// Flags `03` or `02` (W3C level 2), a version above `00`, or a null
    /// `traceparent`, which is no context at all.
    pub static MALFORMED_TRACEPARENT = {
        code: "TL201",
        slug: "malformed-traceparent",
        station: Some(Station::Carry),
        severity: Error,
        summary: "the trace context is malformed: no conforming reader accepts it",
        fixes: || {
            let sides = Sides::of_celery();
            let whole_ids =
                propagators::same_on_both_sides(&BTreeSet::new(), &sides.producer, &sides.worker);
            carrier::flat(&sides).into_iter().chain(whole_ids).collect()
        },
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, _: &Known<'_>) -> Judgment {
    if let Some(verdict) = cut_in_half(handoff) {
        return verdict;
    }
    let Some(message) = unread_message(handoff) else { return Judgment::Clean };
    if message.contexts.iter().any(is_readable) {
        return Judgment::Clean;
    }
    let malformed = message.contexts.iter().find_map(|carried| {
        let flaw = carried.reading.as_ref().err()?;
        let is_where_readers_look = matches!(
            carried.place,
            Place::Header | Place::Carrier(_) | Place::NestedHeaders | Place::HeaderInOtherCase
        );
        (is_where_readers_look && !carried.format.is_vendor()).then_some((carried, flaw.kind))
    });
    let Some((carried, kind)) = malformed else { return Judgment::Clean };
    let (what, variant) = match carried.format {
        ContextFormat::W3c => ("traceparent", kind.label().to_owned()),
        other => (other.label(), format!("{}-{}", other.label(), kind.label())),
    };
    Occurrence::certain()
        .about(handoff)
        .variant(variant)
        .says_with(
            "the {header} of the message is malformed ({flaw}): every conforming reader ignores it",
            [(key::HEADER, what), (key::FLAW, why(kind))],
        )
        .quote(quote::context(message, carried))
        .mend(carrier::well_formed(carried, &Sides::of(handoff)))
        .into()
}

/// The run hangs below the producer's span in a trace that has only the low
/// half of the producer's trace id: the OT trace propagator writes no more.
fn cut_in_half(handoff: &Handoff<'_>) -> Option<Judgment> {
    let (producer, consumer) = (handoff.producer?, handoff.consumer()?);
    let (whole, half) = (producer.trace.id, consumer.trace.id);
    if consumer.span.parent != Some(producer.span.id) || whole == half || whole.low64() != half.low64() {
        return None;
    }
    let sides = Sides::of(handoff);
    let others = handoff.message().into_iter().flat_map(|message| &message.contexts);
    let others =
        others.map(|found| found.format).filter(|format| *format != ContextFormat::OtTrace).collect();
    let carried = handoff.message().and_then(|message| {
        let carried = message
            .contexts
            .iter()
            .find(|found| found.context().is_some_and(|context| context.trace_id == half))?;
        Some(quote::context(message, carried))
    });
    Some(
        Occurrence::certain()
            .about(handoff)
            .variant("half-an-id")
            .says("the message carries only the low 64 bits of the trace id: the worker continues a trace of half an id")
            .quote(carried)
            .quote(quote::span(producer))
            .quote(quote::span(consumer))
            .mend(propagators::same_on_both_sides(&others, &sides.producer, &sides.worker))
            .into(),
    )
}

const fn why(kind: FlawKind) -> &'static str {
    match kind {
        FlawKind::UpperCase => "digits in upper case",
        FlawKind::DecimalIds => "decimal ids",
        FlawKind::HexPrefix => "0x before an id",
        FlawKind::WrongLength => "a field of a wrong length",
        FlawKind::AllZero => "an id of zeros only",
        FlawKind::ForbiddenVersion => "the forbidden version ff",
        FlawKind::MissingFlags => "no flags",
        FlawKind::NotHexadecimal => "characters that are no hexadecimal digits",
        FlawKind::Doubled => "two values in one",
        FlawKind::NotText => "not a text",
        FlawKind::Incomplete => "a part of it is missing",
        FlawKind::Unrecognised => "not of the format at all",
    }
}

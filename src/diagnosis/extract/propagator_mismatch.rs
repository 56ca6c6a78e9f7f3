use std::collections::BTreeSet;

use super::orphaned_run::{OrphanedRun, orphan};
use crate::diagnosis::advice::{propagators, tracelink};
use crate::diagnosis::known::SdkSetup;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::diagnosis::slug;
use crate::evidence::Handoff;
use crate::model::{CarriedContext, ContextFormat, Place, Station, key};

diagnosis! {
    /// ## What it means
    /// The worker does not read the format that the producer writes: the API
    /// injects B3 and the worker extracts W3C, or the like. The context arrives
    /// and is passed over.
    ///
    /// ## What shows it
    /// The message carries its context in one format, where readers look, and
    /// the run of this very task is a root. From the spans alone, without the
    /// message, it is likely only: the two spans of one message id lie in two
    /// traces, and the producer's other messages show which format it writes. So
    /// is a consumer that is made by hand, where no format of
    /// the message, flat or in a carrier of the application's own, is W3C or one
    /// that the worker was seen to take up elsewhere.
    ///
    /// Likely, too, where the worker's resource names a distribution that sets the
    /// propagators by itself, as logfire does (`distributed_tracing=False`).
    ///
    /// ## How to fix it
    /// The same on both sides, with every format that either of them writes. Code
    /// that calls `set_global_textmap` wins over `OTEL_PROPAGATORS`, so the fix goes
    /// where the program makes the setting.
    ///
    /// The B3 and Jaeger propagators are packages of their own
    /// (`opentelemetry-propagator-b3`, `opentelemetry-propagator-jaeger`).
    ///
    /// ## What it is not
    /// A run with a link instead of a parent (`use_span_links`), which is right.
    pub static PROPAGATOR_MISMATCH = {
        code: "TL301",
        slug: "propagator-mismatch",
        station: Some(Station::Extract),
        severity: Error,
        summary: "the worker does not read the format that the producer writes",
        fixes: || {
            let (b3, unseen) = (BTreeSet::from([ContextFormat::B3Multi]), SdkSetup::default());
            propagators::same_on_both_sides(&b3, &unseen, &unseen)
        },
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    let Some(orphan) = orphan(handoff) else { return Judgment::Clean };
    let Some(message) = handoff.message() else { return check_spans(handoff, known, &orphan) };
    // The instrumentor reads flat headers; hand-written code may read a carrier of the
    // application too.
    let by_hand = matches!(orphan, OrphanedRun::HandMade(_));
    let may_be_read = |found: &&CarriedContext| {
        found.context().is_some()
            && (found.is_flat_header() || (by_hand && matches!(found.place, Place::Carrier(_))))
    };
    let readable: Vec<_> = message.contexts.iter().filter(may_be_read).collect();
    let formats: BTreeSet<ContextFormat> =
        readable.iter().map(|found| found.format).filter(|format| !format.is_vendor()).collect();
    let service = orphan.span().span.service();
    // Every hand-made reader knows W3C, and one that read the format elsewhere knows that
    // too. Then the key, the shape or the use of the result is at fault.
    let is_read =
        |format: &ContextFormat| *format == ContextFormat::W3c || known.readers().include(service, *format);
    if formats.is_empty() || (by_hand && formats.iter().any(is_read)) {
        return Judgment::Clean;
    }
    let is_instrumented = matches!(orphan, OrphanedRun::Instrumented(_));
    let mut found = if is_instrumented { Occurrence::certain() } else { Occurrence::likely() };
    if !is_instrumented {
        found = found.unless(
            slug::EXTRACT_RESULT_IGNORED,
            "a hand-made consumer may read the format and drop what it read",
        );
        if readable.iter().all(|found| found.is_flat_header()) {
            found = found
                .unless(slug::CARRIER_SHAPE_MISMATCH, "it may look for a carrier under a key of its own");
        }
    }
    found = found.about(handoff).variant(variant(&formats)).says_with(
        "the message carries {formats} context, and the worker does not read it",
        [(key::FORMATS, labels(&formats))],
    );
    if readable.iter().any(|found| !found.is_flat_header()) {
        found = found.unless(
            slug::CARRIER_KEY_MISMATCH,
            "it may read another key than the one that holds the context",
        );
    }
    for carried in readable {
        found = found.quote(quote::context(message, carried));
    }
    found = found.quote(quote::span(orphan.span()));
    let (producer, worker) = (SdkSetup::of_producer(handoff), SdkSetup::of(&orphan.span().span.process));
    if let Some(distribution) = orphan.span().span.process.distribution.as_deref() {
        found = found
            .unless(
                slug::EXTRACT_RESULT_IGNORED,
                "a distribution of OpenTelemetry sets the propagators by itself, and may be configured to follow no context",
            )
            .quote(quote::fact(format!("resource of {service}"), distribution))
            .mend(propagators::of_distribution(distribution, &formats, &worker));
    }
    found.mend(propagators::same_on_both_sides(&formats, &producer, &worker)).into()
}

fn labels(formats: &BTreeSet<ContextFormat>) -> Vec<&'static str> {
    formats.iter().map(|format| format.label()).collect()
}

/// One for each cause, so that a message that was not seen joins those that were.
fn variant(formats: &BTreeSet<ContextFormat>) -> String {
    if formats.contains(&ContextFormat::W3c) {
        return "w3c-to-other".to_owned();
    }
    format!("{}-to-other", labels(formats).join("-"))
}

/// Without the message: both spans of one id, in two traces. What the producer writes shows
/// in its other messages, if those were seen.
fn check_spans(handoff: &Handoff<'_>, known: &Known<'_>, orphan: &OrphanedRun<'_>) -> Judgment {
    let (Some(producer), OrphanedRun::Instrumented(consumer)) = (handoff.instrumented_producer(), orphan)
    else {
        return Judgment::Clean;
    };
    let mut formats = known.writers().formats_of(producer.span.service()).cloned().unwrap_or_default();
    formats.retain(|format| !format.is_vendor());
    let found = Occurrence::likely().about(handoff);
    let found = if formats.is_empty() {
        found
            .variant("unseen")
            .says("the two spans of one task lie in two traces: most likely the worker does not read the format that the producer writes")
    } else {
        found.variant(variant(&formats)).says_with(
            "the two spans of one task lie in two traces, and other messages of the producer carry {formats} context: most likely the worker does not read it",
            [(key::FORMATS, labels(&formats))],
        )
    };
    found
        .quote(quote::span(producer))
        .quote(quote::span(*consumer))
        .unless(slug::PRODUCER_PROPAGATOR_OMITS_TRACE, "the producer may have written no context at all")
        .needs(tracelink::to_see_the_message(known))
        .mend(propagators::same_on_both_sides(
            &formats,
            &SdkSetup::of_producer(handoff),
            &SdkSetup::of(&consumer.span.process),
        ))
        .into()
}

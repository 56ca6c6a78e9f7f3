use super::publisher::{is_scheduled, message_without_context, sends_spans};
use super::unseen_message::UnseenMessage;
use crate::diagnosis::advice::{distinct, instrumentation, propagators};
use crate::diagnosis::known::SdkSetup;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::diagnosis::slug;
use crate::evidence::{Handoff, OtlpProtocol};
use crate::model::Station;

diagnosis! {
    /// ## What it means
    /// The process that publishes has no OpenTelemetry SDK at work: no
    /// `TracerProvider` was set before it published, or `OTEL_SDK_DISABLED` is
    /// true. Its spans are no-ops, and `inject()` has nothing to write.
    ///
    /// ## What shows it
    /// A message without context while no producing process sent a single span
    /// and workers did (an INTERNAL span of the message's own `origin`, or one that
    /// ended before any worker was bound, shows that an SDK is at work there); or a message with `baggage` and no `traceparent`: the
    /// propagators ran, and there was no span.
    ///
    /// ## How to fix it
    /// Neither the SDK nor the instrumentor of such a process was seen, and it needs
    /// both: a provider alone makes no context of Celery's, and an instrumentor alone
    /// writes none. `OTEL_SDK_DISABLED` must not be `true` in its environment.
    ///
    /// Where the other processes are started by `opentelemetry-instrument`, this one
    /// was started without, or a server spawned it (`uvicorn --workers`), whose
    /// children the launcher of many versions does not reach.
    pub static PRODUCER_SDK_DISABLED = {
        code: "TL102",
        slug: "producer-sdk-disabled",
        station: Some(Station::Inject),
        severity: Error,
        summary: "the message carries no trace context, and the producing process has no OpenTelemetry SDK at work",
        fixes: || {
            let unseen = SdkSetup::default();
            let launched = SdkSetup { is_zero_code: Some(true), ..SdkSetup::default() };
            let fixes = [unseen.clone(), launched].into_iter();
            let fixes = fixes.flat_map(|others| instrumentation::sdk_of_publisher(&unseen, &others, OtlpProtocol::Grpc));
            distinct(fixes.chain(propagators::write_the_trace(&unseen)))
        },
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    if is_scheduled(handoff, known) {
        return Judgment::Clean;
    }
    let nobody_produces = || {
        known.has_spans()
            && known.services().producer_side().is_empty()
            && known.services().before_any_worker(known.broker_of(handoff)).is_empty()
            && !handoff.message().is_some_and(|message| sends_spans(message, known))
    };
    let mending = || {
        let (producer, worker) = (SdkSetup::of_producer(handoff), SdkSetup::of_worker(handoff));
        instrumentation::sdk_of_publisher(&producer, &worker, known.evidence.receiver().protocol())
    };
    let Some(message) = message_without_context(handoff) else {
        let unseen = UnseenMessage::of(handoff, known).filter(|_| nobody_produces());
        return unseen.map_or(Judgment::Clean, |unseen| {
            let says = "the run began a trace of its own, other messages of the process that published it carry no trace context, and no producing service sent a span";
            unseen
                .finding(handoff, known, says)
                .mend(mending())
                .unless(slug::PRODUCER_NOT_INSTRUMENTED, "the producer may send its spans elsewhere")
                .into()
        });
    };
    let found = Occurrence::likely().about(handoff).mend(mending());
    if !message.baggage.is_empty() && handoff.instrumented_producer().is_none() {
        return found
            .variant("baggage-only")
            .says("the message carries baggage and no trace context: the propagators ran where there was no span")
            .quote(quote::fact(
                format!("{}.headers.baggage", quote::place(message)),
                format!("keys: {}", message.baggage.join(", ")),
            ))
            .unless(slug::PRODUCER_PROPAGATOR_OMITS_TRACE, "OTEL_PROPAGATORS=baggage leaves the same header")
            .needs("the environment of the producing process: OTEL_PROPAGATORS, OTEL_SDK_DISABLED")
            .mend(propagators::write_the_trace(&SdkSetup::of_producer(handoff)))
            .into();
    }
    // A message that Celery's code did not publish has a cause of its own.
    if !nobody_produces() || message.hand_made {
        return Judgment::Clean;
    }
    found
        .quote(quote::no_context(message))
        .quote(quote::fact(
            "spans",
            format!("of {} services, none that serves or publishes", known.services().len()),
        ))
        .unless(slug::PRODUCER_NOT_INSTRUMENTED, "the producer may send its spans elsewhere")
        .needs("the producer's exporter pointed here, to see whether it has an SDK")
        .into()
}

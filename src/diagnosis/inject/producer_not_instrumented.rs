use super::publisher::{is_scheduled, message_without_context, published_by, publisher};
use super::unseen_message::{UnseenMessage, without_instrumentor};
use crate::diagnosis::advice::instrumentation::{self, PublisherSeen};
use crate::diagnosis::advice::{distinct, injection};
use crate::diagnosis::known::SdkSetup;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::diagnosis::slug;
use crate::evidence::{Handoff, OtlpProtocol};
use crate::model::Station;

diagnosis! {
    /// ## What it means
    /// The process that publishes the task puts no trace context into the
    /// message, so the worker has nothing to continue and starts a trace of its
    /// own. Tracing works in that process, but nothing in it speaks to Celery.
    ///
    /// ## What shows it
    /// A message without a context of any kind (not in the headers, the
    /// properties or the arguments), no `apply_async/…` span with its id, and a
    /// producer whose service sends spans or is unknown. Certain only where the
    /// message's `origin` is a process of that service, by its host and number: a
    /// script beside it may publish too.
    ///
    /// Where the message was not seen it takes a positive sign: the run names the
    /// very process that serves the requests as its publisher, and that process
    /// sends no PRODUCER span; or a request pushed onto a list of Redis (`LPUSH`)
    /// without a PRODUCER span between. A request beside a task that ran is no sign.
    ///
    /// ## How to fix it
    /// The instrumentor is needed on both sides. Where the process that publishes
    /// sends spans, that is all it lacks; where nothing was seen of it, it needs an
    /// SDK too. A receiver of Celery's `before_task_publish` that injects does
    /// without the instrumentor, and what writes its messages itself injects there.
    ///
    /// A development server that reloads runs the application in a child
    /// process: instrument there. `send_task` by name is instrumented from
    /// version 0.39b0 on.
    ///
    /// ## What it is not
    /// A message of beat, which has no request behind it; a retry; a message
    /// that another task published (`context-not-forwarded`).
    pub static PRODUCER_NOT_INSTRUMENTED = {
        code: "TL101",
        slug: "producer-not-instrumented",
        station: Some(Station::Inject),
        severity: Error,
        summary: "the message carries no trace context: its producer publishes without an active instrumentor",
        fixes: || {
            let unseen = SdkSetup::default();
            let every = [PublisherSeen::MaySendSpans, PublisherSeen::Instrumented, PublisherSeen::Unseen];
            let every = every.into_iter().flat_map(|seen| instrumentation::publisher(seen, &unseen, &unseen, OtlpProtocol::Grpc));
            distinct(every.chain(injection::in_own_message(&unseen)))
        },
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    let exports = known.evidence.receiver().protocol();
    if is_scheduled(handoff, known) {
        return Judgment::Clean;
    }
    let Some(message) = message_without_context(handoff) else {
        if let Some(unseen) = UnseenMessage::of(handoff, known) {
            let says = "the run began a trace of its own, and other messages of the process that published it carry no trace context";
            let others = SdkSetup::of_worker(handoff);
            let (seen, setting) = publisher(Some(unseen.origin), &known.services().producer_side(), known);
            let fixes = instrumentation::publisher(seen, &setting, &others, exports);
            return unseen.finding(handoff, known, says).mend(fixes).into();
        }
        let Some(found) = without_instrumentor(handoff, known) else { return Judgment::Clean };
        let setting = known.services().setting_of(found.services.first().map(String::as_str));
        return found
            .mend(instrumentation::publisher(PublisherSeen::SendsSpans, &setting, &setting, exports))
            .into();
    };
    let mut producers = known.services().producer_side();
    if producers.is_empty() {
        producers = known.services().before_any_worker(known.broker_of(handoff));
    }
    let mut found = match producers[..] {
        // It comes from that very process, and that process sends spans, but none from a
        // Celery instrumentor.
        [service] if !message.hand_made && !known.services().instruments_celery(service) => {
            if published_by(service, message.origin.as_deref(), known) {
                Occurrence::certain()
            } else {
                Occurrence::likely().unless(
                    slug::PRODUCER_SDK_DISABLED,
                    "a script or a scheduler that sends no spans may have published it: nothing ties it to the service that does",
                )
            }
        }
        _ => Occurrence::likely(),
    };
    found = found.about(handoff).quote(quote::no_context(message));
    if message.hand_made {
        found = found.variant("hand-made").says(
            "the message carries no trace context: it was not published by Celery's own code, which instrumentors hook into",
        );
        return found.mend(injection::in_own_message(&SdkSetup::of_producer(handoff))).into();
    }
    for service in &producers {
        found = found.service(*service);
    }
    if !known.has_spans() {
        found = found
            .unless(
                slug::PRODUCER_SDK_DISABLED,
                "the instrumentor may be there, without an SDK behind it: the producer's spans would tell",
            )
            .unless(
                slug::PRODUCER_PROPAGATOR_OMITS_TRACE,
                "OTEL_PROPAGATORS may lack `tracecontext`: an `apply_async/…` span would tell",
            )
            .needs("the producer's spans: tracelink listen, or OTLP files beside the snapshot");
    } else if producers.len() > 1 {
        found = found.unless(
            slug::PRODUCER_SDK_DISABLED,
            "several services send spans, and nothing says which of them published it",
        );
    } else if producers.iter().any(|service| known.services().instruments_celery(service)) {
        found = found.unless(
            slug::PRODUCER_SDK_DISABLED,
            "the service that sends spans publishes with context: another process, perhaps without an SDK, published this one",
        );
    }
    let (seen, setting) = publisher(message.origin.as_deref(), &producers, known);
    let setting = setting.or_of(message);
    found.mend(instrumentation::publisher(seen, &setting, &SdkSetup::of_worker(handoff), exports)).into()
}

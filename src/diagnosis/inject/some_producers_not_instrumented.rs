use super::publisher::{is_nested, is_scheduled, message_without_context, publisher};
use super::unseen_message::UnseenMessage;
use crate::diagnosis::advice::distinct;
use crate::diagnosis::advice::instrumentation::{self, PublisherSeen};
use crate::diagnosis::known::SdkSetup;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::diagnosis::slug;
use crate::evidence::{Handoff, OtlpProtocol};
use crate::model::{Confidence, Quote, Severity, Station};

diagnosis! {
    /// ## What it means
    /// Of the processes that publish to this broker some always send context
    /// and this one never does: the instrumentation did not reach all of them.
    /// A host that was not deployed, a second API, an admin command, a
    /// server's worker that was forked before `instrument()`.
    ///
    /// ## What shows it
    /// `origin` (`gen<pid>@<host>`) names the publishing process. The messages
    /// of one origin all lack a context, those of another all have one.
    /// Retries, and messages that a task published, do not count, and
    /// applications with different key prefixes are not compared. Never more than
    /// likely: before Celery 5.7 the messages of a scheduler, which has no context
    /// to send, look like anybody's. A note where its runs come at even intervals,
    /// or a key of RedBeat's names the task.
    ///
    /// ## How to fix it
    /// Deploy the instrumentation to the named processes: the SDK and Celery's
    /// instrumentor, or the instrumentor alone where such a process sends spans. Where
    /// the others are started by `opentelemetry-instrument`, start these the same way.
    pub static SOME_PRODUCERS_NOT_INSTRUMENTED = {
        code: "TL108",
        slug: "some-producers-not-instrumented",
        station: Some(Station::Inject),
        severity: Error,
        summary: "some producing processes never send trace context, while others always do",
        fixes: || {
            let unseen = SdkSetup::default();
            let launched = SdkSetup { is_zero_code: Some(true), ..SdkSetup::default() };
            let every = [PublisherSeen::Unseen, PublisherSeen::MaySendSpans, PublisherSeen::Instrumented];
            let every = every.into_iter().flat_map(|seen| instrumentation::publisher(seen, &unseen, &launched, OtlpProtocol::Grpc));
            distinct(every.chain([instrumentation::scheduler(OtlpProtocol::Grpc)]))
        },
        check: Handoff(check),
    }
}

/// For an origin that only seems to have no context to send.
const SCHEDULED: &str = "a process that never sends trace context publishes at even intervals, while others always send it: a scheduler that is not instrumented has none to send";

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    let Some(message) = message_without_context(handoff) else { return check_unseen(handoff, known) };
    let (Some(origin), Some(delivery)) = (message.origin.as_deref(), handoff.delivery) else {
        return Judgment::Clean;
    };
    if is_nested(message)
        || message.retries > 0
        || message.hand_made
        || handoff.instrumented_producer().is_some()
    {
        return Judgment::Clean;
    }
    let ours = known.origins().tally(&delivery.broker, origin);
    let Some(sending) = sending(&delivery.broker, origin, known) else { return Judgment::Clean };
    if ours.with_context > 0 {
        return Judgment::Clean;
    }
    let found = Occurrence::likely()
        .about(handoff)
        .quote(quote::no_context(message))
        .quote(quote::fact(format!("origin {origin}"), format!("0 of {} with context", ours.without)))
        .quote(sending);
    finish(found, handoff, origin, &delivery.broker, known).into()
}

fn check_unseen(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    let Some(unseen) = UnseenMessage::of(handoff, known) else { return Judgment::Clean };
    let Some(sending) = sending(unseen.broker, unseen.origin, known) else { return Judgment::Clean };
    let says = "the run began a trace of its own, and other messages of the process that published it carry no trace context, while those of others always do";
    let found = unseen.finding(handoff, known, says).quote(sending);
    finish(found, handoff, unseen.origin, unseen.broker, known).into()
}

/// Quotes another origin of the application that always sends context, if there is one.
fn sending(broker: &str, origin: &str, known: &Known<'_>) -> Option<Quote> {
    let others = known.origins().always_sending(broker, origin);
    let (other, theirs) = others.iter().max_by_key(|(_, tally)| tally.with_context)?;
    Some(quote::fact(format!("origin {other}"), format!("{0} of {0} with context", theirs.with_context)))
}

/// What else may be behind it, and what mends it. Messages of one process have one cause,
/// whether they were seen or not.
fn finish(
    found: Occurrence,
    handoff: &Handoff<'_>,
    origin: &str,
    broker: &str,
    known: &Known<'_>,
) -> Occurrence {
    let by_schedule = known.evidence.scheduler_entry(handoff.task);
    if by_schedule.is_some() || is_scheduled(handoff, known) {
        return Occurrence { confidence: Confidence::Possible, ..found }
            .variant("scheduled")
            .severity(Severity::Note)
            .says(SCHEDULED)
            .quote(by_schedule.map(|key| quote::fact(key, "names the task")))
            .unless(
                slug::PRODUCER_NOT_INSTRUMENTED,
                "a process that publishes at even intervals looks the same",
            )
            .needs(
                "what publishes the task: before Celery 5.7 a message from beat does not say that it is one",
            )
            .mend([instrumentation::scheduler(known.evidence.receiver().protocol())]);
    }
    let (seen, setting) = publisher(Some(origin), &known.services().producer_side(), known);
    let others = known.services().values().find(|service| service.produces()).map(SdkSetup::of_service);
    let fixes = instrumentation::publisher(
        seen,
        &setting,
        &others.unwrap_or_default(),
        known.evidence.receiver().protocol(),
    );
    // A task that nobody else publishes may be a scheduler's, which has no context to hand
    // over. Before Celery 5.7 beat's messages do not show that.
    let is_shared = known.origins().is_sent_with_context(broker, origin, handoff.task);
    let found = if is_shared { found } else { found.variant("own-tasks") };
    found
        .mend(fixes)
        .unless(slug::PRODUCER_SDK_DISABLED, "the instrumentor may be there, without an SDK behind it")
        .needs("what that process is: a scheduler has no context to send, and before Celery 5.7 beat's messages do not say that they are its own")
}

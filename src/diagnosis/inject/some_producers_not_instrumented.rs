use super::message::{is_nested, is_scheduled, message_without_context};
use super::unseen::Unseen;
use crate::diagnosis::advice::instrumentation;
use crate::diagnosis::rule::{Known, Occurrence, Verdict, diagnosis, quote};
use crate::diagnosis::slug;
use crate::evidence::Handoff;
use crate::model::Station;

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
    /// Retries, and messages that a task published, do not count.
    ///
    /// ## How to fix it
    /// Deploy the instrumentation to the named processes:
    ///
    /// ```python
    /// CeleryInstrumentor().instrument()
    /// ```
    pub static SOME_PRODUCERS_NOT_INSTRUMENTED = {
        code: "TL108",
        slug: "some-producers-not-instrumented",
        station: Some(Station::Inject),
        severity: Error,
        summary: "some producing processes never send trace context, while others always do",
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Verdict {
    if is_scheduled(handoff, known) {
        return Verdict::Clean;
    }
    let Some(message) = message_without_context(handoff) else { return check_unseen(handoff, known) };
    let (Some(origin), Some(delivery)) = (message.origin.as_deref(), handoff.delivery) else {
        return Verdict::Clean;
    };
    if is_nested(message)
        || message.retries > 0
        || message.hand_made
        || handoff.instrumented_producer().is_some()
    {
        return Verdict::Clean;
    }
    let ours = known.origins().tally(&delivery.broker, origin);
    let others = known.origins().always_sending(&delivery.broker);
    let Some((other, theirs)) = others.iter().max_by_key(|(_, tally)| tally.with_context) else {
        return Verdict::Clean;
    };
    if ours.with_context > 0 {
        return Verdict::Clean;
    }
    let all = ours.without;
    // A task that nobody else publishes may be a scheduler's, which has no request
    // to hand over; before Celery 5.7 beat's messages do not say so.
    let is_shared = known.origins().is_sent_with_context(&delivery.broker, &message.task);
    let is_sure = is_shared && all > 1 && theirs.with_context > 1;
    let mut found = if is_sure { Occurrence::certain() } else { Occurrence::likely() };
    if !is_shared {
        found = found
            .variant("own-tasks")
            .needs("what that process is: a scheduler has no context to send, and before Celery 5.7 beat's messages do not say that they are its own");
    }
    found
        .about(handoff)
        .quote(quote::no_context(message))
        .quote(quote::fact(format!("origin {origin}"), format!("0 of {all} with context")))
        .quote(quote::fact(
            format!("origin {other}"),
            format!("{0} of {0} with context", theirs.with_context),
        ))
        .unless(slug::PRODUCER_SDK_DISABLED, "the instrumentor may be there, without an SDK behind it")
        .fix(instrumentation::PUBLISHER)
        .into()
}

fn check_unseen(handoff: &Handoff<'_>, known: &Known<'_>) -> Verdict {
    let Some(unseen) = Unseen::of(handoff, known) else { return Verdict::Clean };
    let others = known.origins().always_sending(unseen.broker);
    let Some((other, theirs)) = others.iter().max_by_key(|(_, tally)| tally.with_context) else {
        return Verdict::Clean;
    };
    let says = "the run began a trace of its own, and other messages of the process that published it carry no trace context, while those of others always do";
    unseen
        .finding(handoff, known, says)
        .quote(quote::fact(
            format!("origin {other}"),
            format!("{0} of {0} with context", theirs.with_context),
        ))
        .fix(instrumentation::PUBLISHER)
        .into()
}

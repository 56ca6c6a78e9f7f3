use std::time::Duration;

use crate::diagnosis::advice::injection;
use crate::diagnosis::rule::{Known, Occurrence, Verdict, diagnosis, quote};
use crate::evidence::{Activity, Handoff};
use crate::model::{Station, Timestamp};

diagnosis! {
    /// ## What it means
    /// The context was lost inside the API, before the task was published: the
    /// code that publishes runs in a thread, a greenlet or an executor that did
    /// not inherit the request's context. The worker continues a trace that is
    /// not the request's.
    ///
    /// ## What shows it
    /// The PRODUCER span is a root while a SERVER span of the same process is
    /// open. Likely at most: in a busy API some request is always open, and a
    /// scheduler inside it publishes roots that are right. There it takes pairs:
    /// requests of one route that published nothing, and a root of one task in
    /// each of them. What publishes the same task while nothing is open is a
    /// scheduler, and a request that is open for minutes says nothing.
    ///
    /// ## How to fix it
    /// Carry the context over:
    ///
    /// ```python
    /// ctx = contextvars.copy_context()
    /// threading.Thread(target=ctx.run, args=(publish, order)).start()
    /// await asyncio.to_thread(publish, order)  # does it by itself
    /// ```
    pub static CONTEXT_LOST_BEFORE_PUBLISH = {
        code: "TL104",
        slug: "context-lost-before-publish",
        station: Some(Station::Inject),
        severity: Error,
        summary: "the task was published outside the request's context, though inside the request's time: a thread, greenlet or executor did not inherit it",
        check: Handoff(check),
    }
}

/// The chance that a root falls into an open request by accident, up to which
/// the accident is ruled out.
const ACCIDENT: f64 = 0.05;

/// Requests needed before the share of busy time means anything.
const REQUESTS: usize = 10;

/// A request that is open for longer waits for something to happen.
const LONG: Duration = Duration::from_mins(2);

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Verdict {
    let Some(producer) = handoff.producer.filter(|producer| known.evidence.is_orphaned_root(*producer))
    else {
        return Verdict::Clean;
    };
    let Some(activity) = known.evidence.processes.of(&producer.span.process) else {
        return Verdict::Clean;
    };
    let start = producer.span.start;
    if !activity.has_open_request(start)
        || known.publishes_without_requests(handoff.task, &producer.span.process)
    {
        return Verdict::Clean;
    }
    let is_paired = could_be_a_scheduler(activity, start);
    if is_paired && !known.has_its_request(producer.key()) {
        return Verdict::Clean;
    }
    let pair = is_paired.then(|| {
        let says = "as many as this task has roots published nothing, and one root began in each";
        quote::fact(format!("SERVER spans of {}", producer.span.service()), says)
    });
    Occurrence::likely()
        .about(handoff)
        .quote(quote::span(producer))
        .quote(quote::fact(
            format!("SERVER spans of {}", producer.span.service()),
            "one was open in this very process when the task was published",
        ))
        .quote(pair)
        .needs(
            "a `service.instance.id` (SDK 1.40 or later), where several processes share the service's name",
        )
        .fix(injection::INTO_A_THREAD)
        .into()
}

/// Whether roots published by a scheduler inside the process would look the
/// same: where requests are nearly always open, any root falls into one.
fn could_be_a_scheduler(activity: &Activity, start: Timestamp) -> bool {
    if activity.request_count() < REQUESTS {
        // A stream of events is open for hours, and anything falls into it.
        return !activity.has_short_request(start, LONG);
    }
    let roots = i32::try_from(activity.producer_roots).unwrap_or(i32::MAX);
    activity.busy_share().powi(roots) > ACCIDENT
}

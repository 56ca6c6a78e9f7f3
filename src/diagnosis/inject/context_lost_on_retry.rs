use crate::diagnosis::advice::carrier_shape::CarrierShape;
use crate::diagnosis::advice::injection;
use crate::diagnosis::advice::tracelink;
use crate::diagnosis::known::SdkSetup;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::diagnosis::slug;
use crate::evidence::{Continuity, Handoff, SpanRef};
use crate::model::{Protocol, Station};

diagnosis! {
    /// ## What it means
    /// The first attempt carried the context, the retry does not: the worker
    /// published the task again and left the custom headers behind. Each
    /// further attempt is a trace of its own.
    ///
    /// ## What shows it
    /// A message with `retries` above 0 and no context, whose attempt 0 had
    /// one. Celery before 5.3 drops custom headers on `self.retry()`. From spans
    /// alone, likely: the run of an attempt is a root, and that of an earlier
    /// attempt of the same task id was in the trace.
    ///
    /// ## How to fix it
    /// Inject in the run's own span, and hand the headers to the retry. From Celery
    /// 5.3 on `self.retry()` sends those that came in by itself.
    pub static CONTEXT_LOST_ON_RETRY = {
        code: "TL106",
        slug: "context-lost-on-retry",
        station: Some(Station::Inject),
        severity: Error,
        summary: "the first attempt carried the context and the retry does not: Celery before 5.3 drops custom headers on self.retry()",
        fixes: || injection::on_retry(&CarrierShape::Flat, &SdkSetup::default()),
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    let Some(message) = handoff.message() else { return check_spans(handoff, known) };
    let is_bare_retry =
        message.retries > 0 && message.contexts.is_empty() && message.protocol == Protocol::Two;
    // A PRODUCER span of the retry shows that an instrumentor was at work. What it wrote is
    // for other rules.
    if !is_bare_retry || handoff.is_whole() || handoff.instrumented_producer().is_some() {
        return Judgment::Clean;
    }
    let first = known.evidence.tasks.get(handoff.task_id).and_then(|task| {
        task.messages
            .iter()
            .find(|earlier| earlier.message.retries < message.retries && !earlier.message.contexts.is_empty())
    });
    let Some(first) = first else { return Judgment::Clean };
    let came_in = first.message.contexts.first();
    let shape = came_in.map_or(CarrierShape::Flat, CarrierShape::of);
    Occurrence::certain()
        .about(handoff)
        .mend(injection::on_retry(&shape, &SdkSetup::of_worker(handoff)))
        .quote(came_in.map(|found| quote::context(&first.message, found)))
        .quote(quote::fact(
            format!("{}.headers", quote::place(message)),
            format!("retries {}, no trace context", message.retries),
        ))
        .into()
}

/// Without the message: the previous attempt was in the trace, and this one is not.
fn check_spans(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    // A PRODUCER span of the retry hands its context over: then it was lost later.
    let is_lost =
        handoff.continuity() == Some(Continuity::Orphaned) && handoff.instrumented_producer().is_none();
    let Some(consumer) = handoff.consumer().filter(|_| is_lost && handoff.attempt > 0) else {
        return Judgment::Clean;
    };
    let attempts = known.evidence.tasks.get(handoff.task_id).map(|task| task.handoffs(known.evidence));
    let earlier = attempts
        .unwrap_or_default()
        .into_iter()
        .filter(|earlier| earlier.attempt < handoff.attempt && earlier.is_whole())
        .find_map(|earlier| earlier.consumer());
    earlier.map_or(Judgment::Clean, |earlier| of_spans(earlier, consumer, known).about(handoff).into())
}

/// For a consumer root of a retry that names its message, when its task is not known but an
/// earlier attempt of it was in a trace.
pub fn of_span(retry: SpanRef<'_>, known: &Known<'_>) -> Option<Occurrence> {
    let attempt = retry.span.attributes().retries.filter(|attempt| *attempt > 0)?;
    let id = retry.span.task_id()?;
    let attempts = known.evidence.tasks.named(id).iter().filter_map(|key| known.evidence.spans.get(*key));
    let earlier = attempts
        .filter(|earlier| {
            !known.evidence.is_orphaned_root(*earlier)
                && earlier.span.attributes().retries.unwrap_or(0) < attempt
        })
        .min_by_key(|earlier| (earlier.span.start, earlier.span.id))?;
    let mut found = of_spans(earlier, retry, known).service(retry.span.service());
    found.handoffs.insert(id.to_owned());
    found.tasks.extend(retry.span.attributes().task.as_deref().map(str::to_owned));
    Some(found)
}

fn of_spans(earlier: SpanRef<'_>, retry: SpanRef<'_>, known: &Known<'_>) -> Occurrence {
    let attempt = retry.span.attributes().retries.unwrap_or(0);
    Occurrence::likely()
        .mend(injection::on_retry(&CarrierShape::Flat, &SdkSetup::of(&retry.span.process)))
        .variant("spans")
        .says("the first attempt was in the trace and the retry began one of its own: Celery before 5.3 drops custom headers on self.retry()")
        .quote(quote::span(earlier))
        .quote(quote::span(retry))
        .quote(quote::fact("retries", attempt.to_string()))
        .unless(slug::PROTOCOL_1, "a worker with task_protocol = 1 publishes the retry without headers")
        .unless(slug::PROPAGATOR_MISMATCH, "the retry may carry its context in a format that the worker does not read")
        .needs(tracelink::to_see_the_message(known))
}

use std::time::Duration;

use crate::diagnosis::advice::extraction;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::diagnosis::slug;
use crate::evidence::{Handoff, Presence, SpanRef};
use crate::model::{Severity, Station};

diagnosis! {
    /// ## What it means
    /// One run takes many messages at once (`celery-batches`), and its span can
    /// have one parent at most: it has none, and nothing joins it to the requests
    /// whose messages it took.
    ///
    /// ## What shows it
    /// A run of the instrumentor without a message id and without a parent, of a
    /// task whose messages were taken and have no run of their own; and no link to
    /// any of them, on the run or on the spans below it.
    ///
    /// ## How to fix it
    /// Link the batch's span to each message's context. Only its author
    /// knows what the task calls its messages, so there is nothing to paste:
    ///
    /// ```python
    /// @app.task(base=Batches, flush_every=100)
    /// def count(requests):
    ///     links = [Link(trace.get_current_span(propagate.extract(r.request_dict)).get_span_context()) for r in requests]
    ///     with tracer.start_as_current_span("store batch", kind=SpanKind.CONSUMER, links=links):
    ///         …
    /// ```
    ///
    /// ## What it is not
    /// A batch whose run, or a span below it, links to the messages.
    pub static BATCH_RUN_WITHOUT_LINKS = {
        code: "TL311",
        slug: "batch-run-without-links",
        station: Some(Station::Extract),
        severity: Warning,
        summary: "one run took several messages and links to none of them",
        fixes: extraction::link_the_batch,
        check: Handoff(check),
    }
}

/// How far the clocks of two machines may differ.
const SKEW: Duration = Duration::from_secs(5);

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    let may_have_run = handoff.was_consumed() || handoff.presence == Presence::Unknown;
    if !handoff.consumers.is_empty() || !may_have_run {
        return Judgment::Clean;
    }
    let senders = handoff.contexts().filter_map(|context| known.evidence.spans.get(context));
    let sent = handoff.producer.into_iter().chain(senders).map(|sender| sender.span.start).min();
    // Without the sender's span, from when the message was last seen to wait.
    let seen = || handoff.delivery.map(|delivery| delivery.first().at);
    let Some(since) = sent.or_else(seen) else { return Judgment::Clean };
    let Some(run) = known.orphans().unlinked_batch(handoff.task, since.before(SKEW)) else {
        return Judgment::Clean;
    };
    of_run(run).about(handoff).quote(handoff.producer.map(quote::span)).into()
}

/// For a batch's run without any message that was seen.
pub fn of_batch(run: SpanRef<'_>) -> Occurrence {
    let mut found = of_run(run)
        .variant("unseen")
        .says("one run is of a batch, and neither it nor a span below it links to any message")
        .unless(slug::PRODUCER_NOT_INSTRUMENTED, "its messages may carry no context to link to")
        .needs("the messages, or the producers' spans")
        .service(run.span.service());
    found.severity = Some(Severity::Warning);
    found.tasks.extend(run.span.attributes().task.as_deref().map(str::to_owned));
    found
}

fn of_run(run: SpanRef<'_>) -> Occurrence {
    Occurrence::likely()
        .quote(quote::span(run))
        .service(run.span.service())
        .mend(extraction::link_the_batch())
}

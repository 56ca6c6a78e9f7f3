use crate::diagnosis::advice::injection;
use crate::diagnosis::rule::{Known, Occurrence, Verdict, diagnosis, quote};
use crate::evidence::{Handoff, SpanKey, SpanRef};
use crate::model::{SpanKind, Station};

diagnosis! {
    /// ## What it means
    /// The application copies the `traceparent` of the incoming request into
    /// the message, instead of injecting its own current context. The trace id
    /// is right and the parent is wrong: the worker's span hangs beside the
    /// request's span instead of under it.
    ///
    /// ## What shows it
    /// The consumer has the very parent that the SERVER span has, which came in
    /// from outside, and there is no PRODUCER span.
    ///
    /// ## How to fix it
    /// ```python
    /// headers = {}
    /// propagate.inject(headers)                # not request.headers["traceparent"]
    /// ```
    pub static INCOMING_CONTEXT_FORWARDED = {
        code: "TL111",
        slug: "incoming-context-forwarded",
        station: Some(Station::Inject),
        severity: Warning,
        summary: "the message carries the context that came in with the request, not the request's own: the task hangs beside the request instead of under it",
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Verdict {
    if handoff.producer.is_some() {
        return Verdict::Clean;
    }
    let Some((consumer, server)) =
        handoff.consumers.iter().find_map(|consumer| Some((*consumer, sibling_server(*consumer, known)?)))
    else {
        return Verdict::Clean;
    };
    // Where the sender is seen and published by hand, it is the parent by right.
    let parent = consumer.span.parent.and_then(|parent| consumer.trace.get(parent));
    if parent.is_some_and(|parent| parent.kind != SpanKind::Client) {
        return Verdict::Clean;
    }
    let mut found = Occurrence::likely()
        .about(handoff)
        .service(server.span.service())
        .quote(quote::span(server))
        .quote(quote::span(consumer));
    if handoff.message().is_none() {
        found = found.needs(known.to_see_the_message());
    }
    found.fix(injection::OWN_CONTEXT).into()
}

/// A SERVER span with the same parent, which started before the run.
fn sibling_server<'e>(consumer: SpanRef<'_>, known: &Known<'e>) -> Option<SpanRef<'e>> {
    let parent = SpanKey { trace_id: consumer.trace.id, span_id: consumer.span.parent? };
    known.server_below(parent).filter(|server| server.span.start <= consumer.span.start)
}

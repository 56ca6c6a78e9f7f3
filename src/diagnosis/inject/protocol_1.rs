use crate::diagnosis::advice::celery;
use crate::diagnosis::known::is_publisher;
use crate::diagnosis::rule::{Known, Occurrence, Verdict, diagnosis, quote};
use crate::diagnosis::slug;
use crate::evidence::{Continuity, Handoff};
use crate::model::{Protocol, Station};

diagnosis! {
    /// ## What it means
    /// The task is published with Celery's message protocol 1, whose `headers`
    /// are empty. The OpenTelemetry instrumentor writes the context only where
    /// there are headers, so on protocol 1 it never propagates.
    ///
    /// ## What shows it
    /// In a queue: `headers: {}` and a body that is an object. In spans alone:
    /// the two spans of one message id lie in two traces, and
    /// `celery.hostname`, which is the producer's `gen<pid>@<host>` otherwise,
    /// is the worker's.
    ///
    /// ## How to fix it
    /// ```python
    /// app.conf.task_protocol = 2               # the default since Celery 4
    /// ```
    pub static PROTOCOL_1 = {
        code: "TL105",
        slug: "protocol-1",
        station: Some(Station::Inject),
        severity: Error,
        summary: "the task is published with message protocol 1, on which the instrumentor never propagates",
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Verdict {
    let fixed = |found: Occurrence| Verdict::from(found.about(handoff).fix(celery::PROTOCOL_2));
    if let Some(message) = handoff.message() {
        let is_bare = message.protocol == Protocol::One && handoff.contexts().next().is_none();
        if !is_bare || handoff.is_whole() {
            return Verdict::Clean;
        }
        let at = quote::place(message);
        return fixed(
            Occurrence::certain()
                .quote(quote::fact(format!("{at}.headers"), "{}"))
                .quote(quote::fact(format!("{at}.body"), "an object: message protocol 1")),
        );
    }
    let (Some(producer), Some(consumer)) = (handoff.instrumented_producer(), handoff.consumer()) else {
        return Verdict::Clean;
    };
    let hostname = consumer.span.detail().celery_hostname.as_deref().unwrap_or_default();
    let in_two_traces = handoff.continuity() == Some(Continuity::Orphaned);
    if !in_two_traces || !consumer.span.is_instrumented_run() || hostname.is_empty() || is_publisher(hostname)
    {
        return Verdict::Clean;
    }
    fixed(
        Occurrence::likely()
            .variant("spans")
            .says("the two spans of one task lie in two traces and the run names its worker as the publisher: the task was published with message protocol 1, on which the instrumentor never propagates")
            .unless(slug::PROPAGATOR_MISMATCH, "a publisher that is not Celery's own code may call itself so")
            .needs(known.to_see_the_message())
            .quote(quote::span(producer))
            .quote(quote::span(consumer))
            .quote(quote::fact("celery.hostname", hostname)),
    )
}

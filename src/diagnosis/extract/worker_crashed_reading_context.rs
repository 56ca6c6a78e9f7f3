use crate::diagnosis::advice::carrier_shape::CarrierShape;
use crate::diagnosis::advice::extraction;
use crate::diagnosis::known::Sides;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::diagnosis::slug;
use crate::evidence::Handoff;
use crate::model::{Exception, FailedAt, Station};

diagnosis! {
    /// ## What it means
    /// The task failed while it read its carrier, before it did any work. `self.request.headers`
    /// is `None` where no custom header was sent, and on every task before
    /// Celery 5.3.
    ///
    /// ## What shows it
    /// A FAILURE whose exception is that of a reader:
    /// `'NoneType' object has no attribute 'get'`, a `JSONDecodeError`, `the
    /// JSON object must be str`; and a traceback that ends where a trace context
    /// is read. Where it ends at the message's headers without saying what for,
    /// likely. A run that continued the trace did read its context, and failed
    /// over something else.
    ///
    /// ## How to fix it
    /// Hand a context over in the first place, and read headers so that the task does
    /// not crash without them: `self.request.headers or vars(self.request)`, the latter before Celery
    /// 5.3. What is parsed as JSON has to be written as JSON text, once.
    pub static WORKER_CRASHED_READING_CONTEXT = {
        code: "TL307",
        slug: "worker-crashed-reading-context",
        station: Some(Station::Extract),
        severity: Error,
        summary: "the task failed while it read the trace context, before it did any work",
        fixes: || extraction::headers_may_be_none(&Sides::of_celery()),
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, _: &Known<'_>) -> Judgment {
    let (Some(failure), Some(result)) = (handoff.failure(), handoff.result) else {
        return Judgment::Clean;
    };
    let is_none = &*failure.kind == "AttributeError" && failure.message.contains(Exception::NONE_HAS_NO_GET);
    // A run that continued the trace had read the context.
    if handoff.is_whole() || !(is_none || is_parse_failure(failure)) {
        return Judgment::Clean;
    }
    let has_no_headers = handoff
        .message()
        .is_some_and(|message| message.contexts.is_empty() && message.other_headers.is_empty());
    let found = match result.failed_at {
        Some(FailedAt::Context) => Occurrence::certain(),
        Some(FailedAt::Headers) => Occurrence::likely().unless(
            slug::PRODUCER_NOT_INSTRUMENTED,
            "the header that was read may have nothing to do with tracing",
        ),
        None if is_none && has_no_headers => Occurrence::likely()
            .unless(slug::PRODUCER_NOT_INSTRUMENTED, "the exception may have nothing to do with tracing")
            .needs("the task's traceback"),
        Some(FailedAt::Elsewhere) | None => return Judgment::Clean,
    };
    let found = found.about(handoff).quote(quote::result(result));
    if is_none {
        return found
            .variant("headers-none")
            .says("the task failed on self.request.headers, which is None where no custom header was sent")
            .quote(handoff.message().map(quote::no_context))
            .mend(extraction::headers_may_be_none(&Sides::of(handoff)))
            .into();
    }
    let carried =
        handoff.message().and_then(|message| message.contexts.iter().find_map(CarrierShape::under_its_key));
    let fixes = extraction::write_what_is_parsed(carried, &Sides::of(handoff));
    found.variant("unreadable").mend(fixes).into()
}

fn is_parse_failure(failure: &Exception) -> bool {
    &*failure.kind == "JSONDecodeError"
        || (&*failure.kind == "TypeError" && failure.message.contains(Exception::JSON_MUST_BE))
}

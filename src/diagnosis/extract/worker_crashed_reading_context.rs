use crate::diagnosis::{Known, Occurrence, Verdict, diagnosis, inject, quote};
use crate::evidence::Handoff;
use crate::model::{Exception, Station};

diagnosis! {
    /// ## What it means
    /// The task failed while it read its carrier, before it did any work. Where
    /// no custom header was sent `self.request.headers` is `None`, and on every
    /// task before Celery 5.3.
    ///
    /// ## What shows it
    /// A FAILURE whose exception is that of a reader:
    /// `'NoneType' object has no attribute 'get'`, a `JSONDecodeError`, `the
    /// JSON object must be str`; and a traceback that speaks of headers or of a
    /// carrier.
    ///
    /// ## How to fix it
    /// ```python
    /// headers = self.request.headers or vars(self.request)   # the latter before Celery 5.3
    /// ```
    ///
    /// and hand a context over in the first place.
    pub static WORKER_CRASHED_READING_CONTEXT = {
        code: "TL307",
        slug: "worker-crashed-reading-context",
        station: Some(Station::Extract),
        severity: Error,
        summary: "the task failed while it read the trace context, before it did any work",
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, _known: &Known<'_>) -> Verdict {
    let (Some(failure), Some(result)) = (handoff.failure(), handoff.result) else {
        return Verdict::Clean;
    };
    let tail = result.traceback_tail.as_deref().unwrap_or_default();
    let is_none = &*failure.kind == "AttributeError"
        && failure.message.contains("'NoneType' object has no attribute 'get'");
    if !(is_none || is_parse_failure(failure)) {
        return Verdict::Clean;
    }
    let speaks_of_carrier = speaks_of_carrier(tail);
    let has_no_headers = handoff
        .message()
        .is_some_and(|message| message.contexts.is_empty() && message.other_headers.is_empty());
    let found = match (speaks_of_carrier, is_none && has_no_headers) {
        (true, _) => Occurrence::certain(),
        (false, true) => Occurrence::likely()
            .unless(&inject::PRODUCER_NOT_INSTRUMENTED, "the exception may have nothing to do with tracing")
            .needs("the task's traceback"),
        (false, false) => return Verdict::Clean,
    };
    let found = found.about(handoff).quote(quote::result(result));
    if is_none {
        return found
            .variant("headers-none")
            .says("the task failed on self.request.headers, which is None where no custom header was sent")
            .quote(handoff.message().map(quote::no_context))
            .fix("headers = self.request.headers or vars(self.request)   # in the task, of any Celery")
            .fix("task.apply_async(args, headers=carrier)  # in the API, so that there is one")
            .into();
    }
    found
        .variant("unreadable")
        .fix("headers = self.request.headers or vars(self.request)   # and json.dumps(carrier) once, in the API")
        .into()
}

fn is_parse_failure(failure: &Exception) -> bool {
    &*failure.kind == "JSONDecodeError"
        || (&*failure.kind == "TypeError" && failure.message.contains("JSON object must be"))
}

/// Whether the end of a traceback is in code that reads a carrier.
fn speaks_of_carrier(tail: &str) -> bool {
    let tail = tail.to_ascii_lowercase();
    [
        "request.headers",
        "headers.get",
        "carrier",
        "traceparent",
        "trace_context",
        "propagat",
        "tracing",
        "extract(",
    ]
    .iter()
    .any(|word| tail.contains(word))
}

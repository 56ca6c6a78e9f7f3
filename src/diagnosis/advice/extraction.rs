//! How the task takes its context up: in the worker's code.

use super::plain;

/// Mends TL302: in the task. `key` is the one under which the API hands its
/// carrier over; `is_json` says whether that is JSON text.
pub fn by_key(key: &str, is_json: bool) -> [String; 2] {
    let key = plain(key, b"-_.", "…");
    let read = if is_json { "json.loads(raw)" } else { "raw" };
    [
        format!(
            "raw = (self.request.headers or vars(self.request)).get(\"{key}\")   # the key that the API writes"
        ),
        format!("with tracer.start_as_current_span(name, context=propagate.extract({read})):"),
    ]
}

/// Mends TL304: in the task.
pub const USE_WHAT_WAS_READ: [&str; 2] = [
    "ctx = propagate.extract(self.request.headers or vars(self.request))   # of any Celery",
    "with tracer.start_as_current_span(name, context=ctx, kind=SpanKind.CONSUMER):",
];

/// Mends TL306: in the task.
pub const ONE_CONSUMER_SPAN: [&str; 1] = [
    "with tracer.start_as_current_span(name):  # no context=, no kind=CONSUMER: it nests in the instrumentor's",
];

/// Mends TL308: in the task.
pub const OF_THE_MESSAGE: [&str; 2] = [
    "ctx = propagate.extract(self.request.headers or vars(self.request))   # no SpanContext of your own making",
    "with tracer.start_as_current_span(name, context=ctx):",
];

/// Mends TL309: in the worker's hooks and in the task.
pub const ATTACH_ONCE: [&str; 2] = [
    "grep -rnE 'attach\\(|extract\\(|context=' .   # in the worker: take the second one out",
    "with tracer.start_as_current_span(name):  # no context=: it nests in the run's span, which is current",
];

/// Mends TL310: in the task, and where it starts a thread.
pub const KEEP_THE_CURRENT_CONTEXT: [&str; 2] = [
    "with tracer.start_as_current_span(name):  # no context=: the run's span is current",
    "executor.submit(contextvars.copy_context().run, work)   # where a thread does the work",
];

/// Mends TL311: in the task, whose `requests` are those of the batch.
pub const LINK_THE_BATCH: [&str; 2] = [
    "links = [Link(trace.get_current_span(propagate.extract(r.request_dict)).get_span_context()) for r in requests]",
    "with tracer.start_as_current_span(name, kind=SpanKind.CONSUMER, links=links):",
];

/// Mends TL307 where the task asked for headers that are not there: in the task,
/// and where the API publishes.
pub const HEADERS_MAY_BE_NONE: [&str; 2] = [
    "headers = self.request.headers or vars(self.request)   # in the task, of any Celery",
    "task.apply_async(args, headers=carrier)  # in the API, so that there is one",
];

/// Mends TL307 where the task could not parse its carrier: in the task, and where
/// the API publishes.
pub const READ_WHAT_IS_WRITTEN: [&str; 1] =
    ["headers = self.request.headers or vars(self.request)   # and json.dumps(carrier) once, in the API"];

/// Mends TL501 where the run may have begun a trace of its own: in the task.
pub const CONTINUE_IN_THE_TASK: [&str; 1] = [
    "with tracer.start_as_current_span(name, context=propagate.extract(self.request.headers or vars(self.request))):",
];

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

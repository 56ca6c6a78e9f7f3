//! How a context comes into the threads and executors that a request or a task starts.

use crate::model::{Fix, FixPlace, Side};

/// What carries it there, in either process.
const INSTRUMENTOR: [&str; 5] = [
    "from opentelemetry.instrumentation.threading import (",
    "    ThreadingInstrumentor,",
    ")",
    "",
    "ThreadingInstrumentor().instrument()",
];
const PACKAGE: &str = "opentelemetry-instrumentation-threading";

/// The instrumentor carries the context into each thread and executor that starts.
pub fn into_threads() -> Fix {
    with_instrumentor(Fix::new("carry the context into threads and executors"))
}

/// Adds that instrumentor where the application publishes.
pub fn with_instrumentor(fix: Fix) -> Fix {
    fix.python(Side::Producer, FixPlace::BeforeApp, INSTRUMENTOR)
        .installing([PACKAGE])
        .needing("OpenTelemetry is of release 0.46b0 or later, which brought this instrumentor")
}

/// Mends TL310, and TL104 in a worker.
pub fn into_threads_of_a_task() -> Fix {
    Fix::new("carry the context into the threads that a task starts")
        .python(Side::Worker, FixPlace::WorkerModule, INSTRUMENTOR)
        .installing([PACKAGE])
        .needing("the work is begun in a thread or an executor")
}

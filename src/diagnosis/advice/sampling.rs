//! `OTEL_TRACES_SAMPLER`: which traces a process keeps.

/// Mends TL401: in the environment of the API, or of whoever calls it.
pub const KEEP_IN_THE_API: [&str; 1] =
    ["OTEL_TRACES_SAMPLER=parentbased_always_on   # in the API, or in whoever calls it"];

/// Mends TL402: in the worker's environment.
pub const ASK_THE_PARENT: [&str; 1] = ["OTEL_TRACES_SAMPLER=parentbased_traceidratio   # in the worker"];

//! What fuzzing holds tracelink to: one function for each target in `fuzz/`. It takes any
//! bytes, and panics where something is not as it should be (`docs/fuzzing.md`).
//!
//! This is the only door for the targets: it is compiled for them (`cfg(fuzzing)`) and for
//! tests, and nothing else of the crate is public for their sake. No other room may use it.
//! The tests below run every input that once found a bug.

mod celery;
mod choices;
mod contexts;
mod engine;
mod otlp_json;
mod otlp_protobuf;
mod redaction;
mod resp;
mod scene;
mod serializers;
mod snapshot;
mod told;
mod values;

pub use celery::celery;
pub use contexts::contexts;
pub use engine::engine;
pub use otlp_json::otlp_json;
pub use otlp_protobuf::otlp_protobuf;
pub use redaction::redaction;
#[cfg(test)]
pub(crate) use resp::of_driver;
pub use resp::resp;
pub use snapshot::snapshot;

/// A target: its name in `fuzz/`, and what it does with any bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 8] = [
    ("celery", celery),
    ("contexts", contexts),
    ("engine", engine),
    ("otlp_json", otlp_json),
    ("otlp_protobuf", otlp_protobuf),
    ("redaction", redaction),
    ("resp", resp),
    ("snapshot", snapshot),
];

#[cfg(test)]
mod tests;

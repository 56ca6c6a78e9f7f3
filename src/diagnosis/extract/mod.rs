//! 3xx: the worker did not take the context up.

mod carrier_key_mismatch;
mod carrier_shape_mismatch;
mod duplicate_consumer_spans;
mod extract_result_ignored;
mod orphan;
mod propagator_mismatch;
mod worker_crashed_reading_context;
mod worker_not_instrumented;

pub use carrier_key_mismatch::CARRIER_KEY_MISMATCH;
pub use carrier_shape_mismatch::CARRIER_SHAPE_MISMATCH;
pub use duplicate_consumer_spans::DUPLICATE_CONSUMER_SPANS;
pub use extract_result_ignored::EXTRACT_RESULT_IGNORED;
pub use propagator_mismatch::PROPAGATOR_MISMATCH;
pub use worker_crashed_reading_context::WORKER_CRASHED_READING_CONTEXT;
pub use worker_not_instrumented::WORKER_NOT_INSTRUMENTED;

//! 3xx: the worker did not take the context up.

mod batch_run_without_links;
mod carrier_key_mismatch;
mod carrier_shape_mismatch;
mod context_attached_twice;
mod context_detached_in_run;
mod duplicate_consumer_spans;
mod extract_result_ignored;
mod fabricated_parent;
mod orphaned_run;
mod propagator_mismatch;
mod worker_crashed_reading_context;
mod worker_not_instrumented;

pub use batch_run_without_links::{BATCH_RUN_WITHOUT_LINKS, of_batch};
pub use carrier_key_mismatch::CARRIER_KEY_MISMATCH;
pub use carrier_shape_mismatch::CARRIER_SHAPE_MISMATCH;
pub use context_attached_twice::CONTEXT_ATTACHED_TWICE;
pub use context_detached_in_run::CONTEXT_DETACHED_IN_RUN;
pub use duplicate_consumer_spans::DUPLICATE_CONSUMER_SPANS;
pub use extract_result_ignored::EXTRACT_RESULT_IGNORED;
pub use fabricated_parent::FABRICATED_PARENT;
pub use propagator_mismatch::PROPAGATOR_MISMATCH;
pub use worker_crashed_reading_context::WORKER_CRASHED_READING_CONTEXT;
pub use worker_not_instrumented::WORKER_NOT_INSTRUMENTED;

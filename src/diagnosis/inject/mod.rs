//! 1xx: the producer did not hand the context over.

mod context_lost_before_publish;
mod context_lost_on_retry;
mod context_not_forwarded;
mod empty_carrier;
mod incoming_context_forwarded;
mod producer_not_instrumented;
mod producer_propagator_omits_trace;
mod producer_sdk_disabled;
mod protocol_1;
mod publisher;
mod request_not_instrumented;
mod some_producers_not_instrumented;
mod stale_carrier;
mod unseen_message;

pub use context_lost_before_publish::CONTEXT_LOST_BEFORE_PUBLISH;
pub use context_lost_on_retry::{CONTEXT_LOST_ON_RETRY, of_span as of_retry};
pub use context_not_forwarded::CONTEXT_NOT_FORWARDED;
pub use empty_carrier::EMPTY_CARRIER;
pub use incoming_context_forwarded::INCOMING_CONTEXT_FORWARDED;
pub use producer_not_instrumented::PRODUCER_NOT_INSTRUMENTED;
pub use producer_propagator_omits_trace::PRODUCER_PROPAGATOR_OMITS_TRACE;
pub use producer_sdk_disabled::PRODUCER_SDK_DISABLED;
pub use protocol_1::PROTOCOL_1;
pub use request_not_instrumented::REQUEST_NOT_INSTRUMENTED;
pub use some_producers_not_instrumented::SOME_PRODUCERS_NOT_INSTRUMENTED;
pub use stale_carrier::STALE_CARRIER;

//! 2xx: the context is in the message, but not in a form that can be read.

mod carrier_encoding;
mod conflicting_contexts;
mod context_in_body;
mod context_in_properties;
mod foreign_context_only;
mod header_name_case;
mod malformed_traceparent;
mod nested_context_only;
mod readable;
mod unreadable_message;

pub use carrier_encoding::CARRIER_ENCODING;
pub use conflicting_contexts::CONFLICTING_CONTEXTS;
pub use context_in_body::CONTEXT_IN_BODY;
pub use context_in_properties::CONTEXT_IN_PROPERTIES;
pub use foreign_context_only::FOREIGN_CONTEXT_ONLY;
pub use header_name_case::HEADER_NAME_CASE;
pub use malformed_traceparent::MALFORMED_TRACEPARENT;
pub use nested_context_only::NESTED_CONTEXT_ONLY;
pub use unreadable_message::UNREADABLE_MESSAGE;

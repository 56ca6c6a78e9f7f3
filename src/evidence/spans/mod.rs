//! The spans that came, trace by trace.

mod facts;
mod store;
mod stored;
mod trace;

pub use store::{Arrival, SpanStore};
pub use stored::{SpanAttributes, SpanKey, StoredSpan};
pub use trace::{SpanRef, Trace};

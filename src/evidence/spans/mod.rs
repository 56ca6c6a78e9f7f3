//! The spans that came, trace by trace.

mod facts;
mod shape;
mod store;
mod stored;
mod trace;

pub use shape::{SpanAttributes, SpanShape};
pub use store::{Arrival, SpanStore};
pub use stored::{SpanKey, StoredSpan};
pub use trace::{SpanRef, Trace};

//! What is judged, and let go, as one.

use std::sync::Arc;

use crate::model::TraceId;

/// What settles, and is let go, as a whole.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Unit {
    Trace(TraceId),
    Task(Arc<str>),
}

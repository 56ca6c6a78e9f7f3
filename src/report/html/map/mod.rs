//! A map of services and queues: who hands what to whom, and where it breaks.

mod drawing;
mod graph;

pub(super) use self::drawing::map;
pub use self::graph::Map;

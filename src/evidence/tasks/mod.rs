//! Tasks, and their messages as they were found in brokers.

mod delivery;
mod index;
mod store;
mod task;
mod waiting;

pub use delivery::{Delivery, Observation};
pub use index::{ContextKey, Continuation};
pub use store::Tasks;
pub use task::Task;

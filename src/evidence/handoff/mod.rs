//! The hand-offs: what joins the two sides of a task's passage through a queue.

mod ambiguous_runs;
mod fate;
mod join;
mod links;
mod task_names;
mod view;

pub use fate::Fate;
pub use task_names::TaskNames;
pub use view::{Continuity, Handoff, JoinedBy};

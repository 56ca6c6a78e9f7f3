//! The hand-offs: what joins the two sides of a task's passage through a queue.

mod ambiguous_runs;
mod join;
mod links;
mod presence;
mod task_names;
mod view;

pub use presence::Presence;
pub use task_names::TaskNames;
pub use view::{Continuity, Handoff, JoinedBy};

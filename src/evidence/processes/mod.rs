//! The processes that send spans, and what each was seen to do.

mod activity;
mod instrumentors;
mod known;
mod process;

pub use activity::Activity;
pub use instrumentors::{Instrumentor, Library};
pub use known::{Processes, Sender, Service};
pub use process::Process;

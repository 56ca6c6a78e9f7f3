//! Judging while evidence comes in.

mod awaited;
mod end;
mod eviction;
mod handoff_counts;
mod live_judge;
mod open_findings;
mod opinion;
mod pace;
mod request_sink;

pub use handoff_counts::{HandoffCounts, HandoffOutcome, Waits};
pub use live_judge::LiveJudge;
pub use pace::Pace;
pub use request_sink::RequestSink;

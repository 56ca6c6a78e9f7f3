//! Judging while evidence comes in.

mod end;
mod eviction;
mod live_judge;
mod open_findings;
mod request_sink;

pub use live_judge::{LiveJudge, Pace};
pub use request_sink::RequestSink;

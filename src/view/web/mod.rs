//! The page in a browser: what is asked for, and what is told while things happen. It reads
//! the board and the report, and judges nothing; `report/html/` renders.
//!
//! Whoever wires it opens a port for a [`Site`], tells the [`Feed`] that the board changed,
//! and ends it with the last report.

mod changes;
mod feed;
mod pieces;
mod routes;
mod sse;

pub use feed::{Feed, Origin, Phase, Reports};
pub use routes::Site;

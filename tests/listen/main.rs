//! `tracelink listen`, run as users run it: the binary, its ports, its report.

#[path = "../support/mod.rs"]
mod support;

mod control;
mod ending;
mod forward;
mod ignored;
mod lines;
#[allow(dead_code, reason = "the tests of the page use the rest of it")]
mod listener;
mod memory;
mod metrics;
mod outputs;
mod real;
mod replay;
mod stages;
mod unsettled;
mod waiting;
mod wrapped;

//! `tracelink listen`, run as users run it: the binary, its ports, its report.

#[path = "../support/mod.rs"]
mod support;

mod control;
mod ending;
mod forward;
mod ignored;
mod lines;
mod listener;
mod memory;
mod outputs;
mod real;
mod replay;
mod stages;
mod unsettled;
mod waiting;
mod wrapped;

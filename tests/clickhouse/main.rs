//! Spans that lie in ClickHouse, in the tables of two exporters, behind ClickHouse's own engine.

mod asked;
mod broker;
#[path = "../support/captures.rs"]
mod captures;
mod errors;
mod interruption;
mod kept_queries;
mod samples;
mod shim;
mod shown;
mod stand_in;
#[path = "../support/mod.rs"]
mod support;
mod verdicts;
mod watched;
mod watcher;

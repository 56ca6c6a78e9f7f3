//! Spans that lie in ClickHouse, in the tables of two exporters, behind ClickHouse's own engine.

mod asked;
#[path = "../support/captures.rs"]
mod captures;
mod errors;
mod kept_queries;
mod samples;
mod shim;
#[path = "../support/mod.rs"]
mod support;
mod verdicts;

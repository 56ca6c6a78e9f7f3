//! Figures that people monitor.

use serde::Serialize;

/// How many tasks ran more than once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct RetryShare {
    pub tasks: u64,
    pub retried: u64,
    pub attempts: u64,
}

#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub struct Distribution {
    pub count: u64,
    pub p50: f64,
    pub p95: f64,
    pub max: f64,
}

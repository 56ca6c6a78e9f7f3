//! How an entry is run: what is used for it, and what the user chose.

use super::environment::Environment;
use crate::demo::otlp_endpoints::OtlpEndpoints;
use crate::model::Fix;

/// How an entry is run.
#[derive(Clone, Debug)]
pub struct Options<'e> {
    pub environment: &'e Environment,
    /// A broker of the user's, `redis://` or `rediss://`, whose database is
    /// empty; a Redis of the run's own where there is none.
    pub broker: Option<String>,
    /// The receiver. Its HTTP port must take no gRPC.
    pub otlp: OtlpEndpoints,
    /// How many orders are sent, where the entry leaves that open.
    pub orders: Option<u32>,
    /// Orders a second; one after the other where that is not given. The first
    /// one waits for the worker to come up, the others follow it.
    pub rate: Option<f64>,
    /// How long work takes, where the entry does not say: 1 is as long as in
    /// the article.
    pub pace: f64,
    /// Goes on until the listener breaks it off.
    pub keep: bool,
    /// What is pasted into the programs before.
    pub fix: Option<&'e Fix>,
}

//! What clients may ask of the receiver.

use std::sync::Arc;
use std::time::Duration;

use super::budget::Budget;

/// What clients may ask of the receiver.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The largest request in bytes, as it comes and unpacked: 64 MiB.
    pub request: usize,
    /// The bytes of all bodies in flight, packed and unpacked.
    pub bodies: Arc<Budget>,
    /// Connections at a time: 512. For one more, one that is silent, or rests, or
    /// hangs is closed; where there is none such, it is itself.
    pub connections: usize,
    /// How long the head of a request may take, and then its body: 20 s each.
    pub patience: Duration,
    /// How long a connection may stay without a request: 5 minutes.
    pub idle: Duration,
}

impl Limits {
    /// The usual limits, and this budget for bodies.
    pub fn new(bodies: Arc<Budget>) -> Self {
        Self {
            request: 64 << 20,
            bodies,
            connections: 512,
            patience: Duration::from_secs(20),
            idle: Duration::from_mins(5),
        }
    }
}

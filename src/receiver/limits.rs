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
    /// What HTTP/2 may send on a connection before it is read, which is in no budget:
    /// 4 MiB, and no more than a sixty-fourth of the bodies, but 64 KiB.
    pub ahead: usize,
    /// Connections at a time: 512, and fewer where there is little memory. For one more, one that is silent, or rests, or
    /// hangs is closed; where there is none such, it is itself.
    pub connections: usize,
    /// How long a body may take before it makes room for another, where all are
    /// taken: 250 ms. The slowest goes first.
    pub hanging: Duration,
    /// How long the head of a request may take, and then its body: 20 s each.
    pub patience: Duration,
    /// How long a connection may stay without a request: 5 minutes.
    pub idle: Duration,
}

impl Limits {
    /// What a connection takes by itself, with what is read ahead of its bodies.
    const CONNECTION: usize = 64 << 10;
    const FEWEST: usize = 64;
    const MOST: usize = 512;

    /// The usual limits, and this budget for bodies.
    pub fn new(budget: Arc<Budget>) -> Self {
        let bodies = budget.limit();
        Self {
            request: 64 << 20,
            bodies: budget,
            ahead: (bodies / 64).clamp(64 << 10, 4 << 20),
            connections: (bodies / Self::CONNECTION).clamp(Self::FEWEST, Self::MOST),
            hanging: Duration::from_millis(250),
            patience: Duration::from_secs(20),
            idle: Duration::from_mins(5),
        }
    }

    /// The largest request that may ever be taken, in bytes.
    pub fn largest(&self) -> usize {
        self.request.min(self.bodies.most_of_one())
    }
}

//! What clients may ask of the receiver.

use std::sync::Arc;
use std::time::Duration;

use super::budget::Budget;
use super::windows::{CONNECTION, Windows};

/// What clients may ask of the receiver.
#[derive(Clone, Debug)]
pub struct ReceiverLimits {
    /// The largest request in bytes, both as it comes and decompressed: 64 MiB.
    pub request: usize,
    /// The bytes of all bodies in flight, both as they come and decompressed.
    pub bodies: Arc<Budget>,
    /// What HTTP/2 clients may send on a connection before it is read.
    pub windows: Arc<Windows>,
    /// Connections at a time: 16 to 512, depending on the memory for them. When one more
    /// comes, a connection that is silent, idle or stalled is closed for it. If there is
    /// no such connection, the new one is closed.
    pub connections: usize,
    /// How long a body may take before it has to make room for another, when all bytes
    /// are taken: 250 ms. The slowest goes first.
    pub stalled_after: Duration,
    /// How long the head of a request may take, and then its body: 20 s each.
    pub timeout: Duration,
    /// How long a connection may stay without a request: 5 minutes.
    pub idle: Duration,
}

impl ReceiverLimits {
    const FEWEST: usize = 16;
    const MOST: usize = 512;

    /// The usual limits, with this budget for bodies, and this many bytes for
    /// connections.
    pub fn new(budget: Arc<Budget>, connections: usize) -> Self {
        // A quarter is for larger windows. Of the rest, a ninth is for connections that
        // were asked to end and have not ended yet.
        let most = connections / 3 * 2 / CONNECTION;
        Self {
            request: 64 << 20,
            bodies: budget,
            windows: Arc::new(Windows::new(connections / 4)),
            connections: most.clamp(Self::FEWEST, Self::MOST),
            stalled_after: Duration::from_millis(250),
            timeout: Duration::from_secs(20),
            idle: Duration::from_mins(5),
        }
    }

    /// The largest request that may ever be taken, in bytes.
    pub fn largest(&self) -> usize {
        self.request.min(self.bodies.most_of_one_request())
    }
}

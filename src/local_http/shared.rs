//! What all connections of a server share.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{Semaphore, watch};

use super::answer::Service;

/// What a server's clients may ask of it.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Answers that take time and memory, at a time.
    pub made: usize,
    /// Streams of events, at a time; fewer than there may be connections.
    pub streams: usize,
    /// Whether a link on a page of another site may lead here. The other page cannot read
    /// what it leads to.
    pub answers_links: bool,
}

/// What all connections share.
pub struct Shared {
    pub service: Arc<dyn Service>,
    pub address: SocketAddr,
    pub limits: Limits,
    pub made: Arc<Semaphore>,
    pub streams: Arc<Semaphore>,
    /// Each connection that has a request holds a receiver of it.
    pub answering: watch::Sender<()>,
}

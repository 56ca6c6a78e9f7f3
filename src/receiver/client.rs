//! One client of the receiver, and what all clients share.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;

use super::activity::ConnectionActivity;
use super::budget::Share;
use super::connection_slots::ConnectionSlots;
use super::inbox::{Ended, Inbox, PortKind, Transport};
use super::limits::ReceiverLimits;
use super::ports::Addresses;
use crate::evidence::Outcome;

/// What every connection uses.
pub struct Shared {
    pub inbox: Arc<dyn Inbox>,
    pub limits: ReceiverLimits,
    pub addresses: Addresses,
    pub slots: Arc<ConnectionSlots>,
    /// Each request that is in the inbox holds a receiver of it.
    pub in_inbox: watch::Sender<()>,
}

/// One client, as its requests see it.
pub struct Client {
    pub shared: Arc<Shared>,
    pub port: PortKind,
    pub peer: SocketAddr,
    pub activity: Arc<ConnectionActivity>,
    /// The bytes that its bodies hold together.
    pub share: Arc<Share>,
}

impl Client {
    /// Tells the inbox that the connection ended before any request.
    pub fn ended(&self, outcome: Outcome) {
        self.ended_at(outcome, "");
    }

    /// The same, with the request line as far as it could be read.
    pub fn ended_at(&self, outcome: Outcome, target: &str) {
        let transport = if self.port == PortKind::Grpc { Transport::Grpc } else { Transport::Http };
        let (port, peer) = (self.port, self.peer);
        self.shared.inbox.ended(&Ended { outcome, transport, port, peer, agent: "", target });
    }
}

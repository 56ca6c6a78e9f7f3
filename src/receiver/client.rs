//! One client of the receiver, and what all of them share.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;

use super::budget::Share;
use super::doors::Addresses;
use super::inbox::{Door, Ended, Inbox, Transport};
use super::limits::Limits;
use super::places::Places;
use super::pulse::Pulse;
use crate::evidence::Outcome;

/// What every connection needs.
pub struct Shared {
    pub inbox: Arc<dyn Inbox>,
    pub limits: Limits,
    pub addresses: Addresses,
    pub places: Arc<Places>,
    /// Each request that is in the inbox holds a receiver of it.
    pub in_inbox: watch::Sender<()>,
}

/// One client, as its requests see it.
pub struct Client {
    pub shared: Arc<Shared>,
    pub door: Door,
    pub peer: SocketAddr,
    pub pulse: Arc<Pulse>,
    /// What its bodies hold together.
    pub share: Arc<Share>,
}

impl Client {
    /// Tells of an end before there was any request.
    pub fn ended(&self, outcome: Outcome) {
        self.ended_at(outcome, "");
    }

    /// The same, with what was asked for, as far as it could be told.
    pub fn ended_at(&self, outcome: Outcome, target: &str) {
        let transport = if self.door == Door::Grpc { Transport::Grpc } else { Transport::Http };
        let (door, peer) = (self.door, self.peer);
        self.shared.inbox.ended(&Ended { outcome, transport, door, peer, agent: "", target });
    }
}

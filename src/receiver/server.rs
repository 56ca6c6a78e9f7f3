//! The receiver as a whole, from opening its ports to the last answer.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::client::Shared;
use super::connection::accept;
use super::connection_slots::ConnectionSlots;
use super::error::ReceiverError;
use super::inbox::{Inbox, PortKind};
use super::limits::ReceiverLimits;
use super::ports::{Addresses, Ports};
use crate::local_http::open_port;

/// A receiver that listens until it is closed.
///
/// It has its own runtime. Open, close and drop it outside of any other runtime.
pub struct Receiver {
    runtime: Runtime,
    shared: Arc<Shared>,
    /// Tells all connections to end.
    stop: watch::Sender<bool>,
}

impl Receiver {
    /// Opens the ports. It listens when this returns.
    ///
    /// Where a port is on 127.0.0.1, the same port of `[::1]` is opened too if it is
    /// free, because some clients resolve `localhost` to that.
    pub fn open(ports: &Ports, inbox: Arc<dyn Inbox>, limits: ReceiverLimits) -> Result<Self, ReceiverError> {
        let mut listeners = Vec::new();
        let mut open = |port: Option<SocketAddr>, kind: PortKind, option| {
            let Some(wanted) = port else { return Ok(None) };
            let (listener, address) = open_port(wanted, option)?;
            listeners.push((listener, kind));
            listeners.extend(twin(address).map(|listener| (listener, kind)));
            Ok::<_, ReceiverError>(Some(address))
        };
        let addresses = Addresses {
            grpc: open(ports.grpc, PortKind::Grpc, "--grpc")?,
            http: open(ports.http, PortKind::Http, "--http")?,
            both: open(ports.both, PortKind::Both, "--http")?,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("receiver")
            .enable_all()
            .build()
            .map_err(ReceiverError::Threads)?;
        let (stop, stopped) = watch::channel(false);
        let slots = Arc::new(ConnectionSlots::new(limits.connections));
        let (in_inbox, _) = watch::channel(());
        let shared = Arc::new(Shared { inbox, limits, addresses, slots, in_inbox });
        {
            let _entered = runtime.enter();
            for (listener, port) in listeners {
                let listener = tokio::net::TcpListener::from_std(listener).map_err(ReceiverError::Threads)?;
                runtime.spawn(accept(listener, port, Arc::clone(&shared), stopped.clone()));
            }
        }
        Ok(Self { runtime, shared, stop })
    }

    pub fn addresses(&self) -> Addresses {
        self.shared.addresses
    }

    /// Accepts no more connections, lets requests in flight end for as long as `grace`,
    /// and breaks off the rest. When it returns, every request that was answered as
    /// accepted has been given to the inbox, and no other will be.
    pub fn close(self, grace: Duration) {
        // How long a request may take that the inbox is still busy with, so that the
        // inbox can finish it.
        const INBOX: Duration = Duration::from_mins(1);
        // How long anything else may take that still hangs.
        const LAST: Duration = Duration::from_secs(5);
        let Self { runtime, shared, stop } = self;
        stop.send_replace(true);
        runtime.block_on(async {
            let _ = tokio::time::timeout(grace, stop.closed()).await;
            let _ = tokio::time::timeout(INBOX, shared.in_inbox.closed()).await;
        });
        runtime.shutdown_timeout(LAST);
    }
}

/// A listener at the same port of the other loopback address.
fn twin(address: SocketAddr) -> Option<TcpListener> {
    let loopback = std::net::Ipv4Addr::LOCALHOST;
    if address.ip() != loopback {
        return None;
    }
    let listener = TcpListener::bind((std::net::Ipv6Addr::LOCALHOST, address.port())).ok()?;
    listener.set_nonblocking(true).ok()?;
    Some(listener)
}

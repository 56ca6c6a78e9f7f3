//! The OTLP receiver's shell: ports, protocols and limits, and no idea of spans.
//!
//! [`Receiver::open`] listens for OTLP over gRPC and HTTP as
//! <https://opentelemetry.io/docs/specs/otlp/> says. Each request's body is
//! unpacked, within limits of bytes and time, and handed to an [`Inbox`], whose
//! word decides the answer. Every wrong way in is answered with its remedy, and
//! told to the inbox too, because it is evidence. [`Forwarder`] sends what came
//! on to another endpoint.
//!
//! Nothing here decodes a span, keeps one, or knows a diagnosis. gRPC's framing
//! is read here and not by tonic's server, which unpacks before it can be asked
//! for the bytes that it takes: here each byte is in the [`Budget`] first.

mod answer;
mod body;
mod budget;
mod connection;
mod cors;
mod error;
mod forward;
mod inbox;
mod places;
mod pulse;
mod route;
mod unpack;
mod visit;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::watch;

pub use budget::{Budget, Full, Reservation};
pub use error::ReceiverError;
pub use forward::{ForwardError, Forwarder, Loss, Sent};
pub use inbox::{Door, Encoding, Ended, Inbox, Receipt, Refusal, Request, Signal, Transport};

/// Which ports to open.
#[derive(Clone, Copy, Default, Debug)]
pub struct Doors {
    /// For gRPC only.
    pub grpc: Option<SocketAddr>,
    /// For HTTP only.
    pub http: Option<SocketAddr>,
    /// For both, told apart by their first bytes and their content type.
    pub both: Option<SocketAddr>,
}

/// The ports that are open: of a port 0, the one that was given.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Addresses {
    pub grpc: Option<SocketAddr>,
    pub http: Option<SocketAddr>,
    pub both: Option<SocketAddr>,
}

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

/// What every connection needs.
struct Shared {
    inbox: Arc<dyn Inbox>,
    limits: Limits,
    addresses: Addresses,
    places: Arc<places::Places>,
}

/// A receiver that listens, until it is closed.
///
/// It has a runtime of its own: it is opened, closed and dropped outside of any other.
pub struct Receiver {
    runtime: Runtime,
    addresses: Addresses,
    /// Says that it is time to end; each connection holds one end of it.
    stop: watch::Sender<bool>,
}

impl Receiver {
    /// Opens the doors. It listens when this returns.
    ///
    /// Where a door is 127.0.0.1, the same port of `[::1]` is opened too where it
    /// is free, since some clients take `localhost` for that.
    pub fn open(doors: &Doors, inbox: Arc<dyn Inbox>, limits: Limits) -> Result<Self, ReceiverError> {
        let mut listeners = Vec::new();
        let mut open = |door: Option<SocketAddr>, kind: Door, option| {
            let Some(wanted) = door else { return Ok(None) };
            let failed = |source| ReceiverError::bind(wanted, option, source);
            let listener = TcpListener::bind(wanted).map_err(failed)?;
            let address = listener.local_addr().map_err(failed)?;
            listener.set_nonblocking(true).map_err(failed)?;
            listeners.push((listener, kind));
            listeners.extend(twin(address).map(|listener| (listener, kind)));
            Ok(Some(address))
        };
        let addresses = Addresses {
            grpc: open(doors.grpc, Door::Grpc, "--grpc")?,
            http: open(doors.http, Door::Http, "--http")?,
            both: open(doors.both, Door::Both, "--http")?,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("receiver")
            .enable_all()
            .build()
            .map_err(ReceiverError::Threads)?;
        let (stop, stopped) = watch::channel(false);
        let places = Arc::new(places::Places::new(limits.connections));
        let shared = Arc::new(Shared { inbox, limits, addresses, places });
        {
            let _entered = runtime.enter();
            for (listener, door) in listeners {
                let listener = tokio::net::TcpListener::from_std(listener).map_err(ReceiverError::Threads)?;
                runtime.spawn(connection::accept(listener, door, Arc::clone(&shared), stopped.clone()));
            }
        }
        Ok(Self { runtime, addresses, stop })
    }

    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Takes no more connections, lets requests in flight end for as long as
    /// `grace`, and breaks off the rest. When it returns, every request that was
    /// answered as taken has been given to the inbox, and no other will be.
    pub fn close(self, grace: Duration) {
        // The deadline of a connection that hangs in the inbox itself.
        const LAST: Duration = Duration::from_secs(5);
        let Self { runtime, stop, .. } = self;
        stop.send_replace(true);
        runtime.block_on(async {
            let _ = tokio::time::timeout(grace, stop.closed()).await;
        });
        runtime.shutdown_timeout(LAST);
    }
}

/// A listener at the same port of the other loopback.
fn twin(address: SocketAddr) -> Option<TcpListener> {
    let loopback = std::net::Ipv4Addr::LOCALHOST;
    if address.ip() != loopback {
        return None;
    }
    let listener = TcpListener::bind((std::net::Ipv6Addr::LOCALHOST, address.port())).ok()?;
    listener.set_nonblocking(true).ok()?;
    Some(listener)
}

//! Why a port could not be opened, each with its remedy.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;

use super::port_owner::PortOwner;
use crate::model::{Blame, Blamed};

/// Why the receiver does not listen.
#[derive(Debug, thiserror::Error)]
pub enum ReceiverError {
    #[error("{}", in_use(*address, option, owner.as_ref()))]
    InUse { address: SocketAddr, option: &'static str, owner: Option<PortOwner> },
    #[error(
        "{address} may not be opened: ports below 1024 are the administrator's. \
         Take a higher one with {option}"
    )]
    Denied { address: SocketAddr, option: &'static str },
    #[error(
        "{address} is no address of this machine. {option} 127.0.0.1:{port} listens for this machine alone, \
         {option} 0.0.0.0:{port} for all that reach it",
        port = address.port()
    )]
    NotHere { address: SocketAddr, option: &'static str },
    #[error("{address} cannot be listened on: {why}. Give another one with {option}")]
    Bind { address: SocketAddr, option: &'static str, why: io::Error },
    #[error("no thread could be started for the receiver: {0}")]
    Threads(io::Error),
}

impl Blamed for ReceiverError {
    fn blame(&self) -> Blame {
        Blame::Environment
    }
}

impl ReceiverError {
    /// Names the failure of a bind, with the option that chose the address.
    pub(super) fn bind(address: SocketAddr, option: &'static str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse { address, option, owner: PortOwner::of(address) },
            io::ErrorKind::PermissionDenied => Self::Denied { address, option },
            io::ErrorKind::AddrNotAvailable => Self::NotHere { address, option },
            _ => Self::Bind { address, option, why: source },
        }
    }
}

/// Says who has the port, and the two ways out: another port, or the traffic passed on.
fn in_use(address: SocketAddr, option: &str, owner: Option<&PortOwner>) -> String {
    let holder = owner.map_or_else(|| "another program".to_owned(), ToString::to_string);
    let what = match option {
        "--grpc" => "gRPC",
        _ => "HTTP",
    };
    let mut text = format!(
        "{address} is in use: {holder} listens there.\n\
         \x20 either  take a free port with {option} 127.0.0.1:0, and send the application's spans there\n"
    );
    let written = match owner {
        Some(owner) if !owner.is_collector() => write!(text, "  or      stop process {}", owner.pid()),
        _ => write!(
            text,
            "  or      move the Collector's {what} receiver to another port, \
             and have tracelink pass everything on to it with --forward http://127.0.0.1:PORT"
        ),
    };
    written.expect("a String takes any text");
    text
}

//! Why a port could not be opened, each with its remedy.

use std::io;
use std::net::SocketAddr;

/// Why the receiver does not listen.
#[derive(Debug, thiserror::Error)]
pub enum ReceiverError {
    #[error(
        "{address} is in use: another collector or tracelink listens there. Stop it, \
         or take a free port with {option} 127.0.0.1:0"
    )]
    InUse { address: SocketAddr, option: &'static str },
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

impl ReceiverError {
    /// Names the failure of a bind, with the option that chose the address.
    pub(super) fn bind(address: SocketAddr, option: &'static str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse { address, option },
            io::ErrorKind::PermissionDenied => Self::Denied { address, option },
            io::ErrorKind::AddrNotAvailable => Self::NotHere { address, option },
            _ => Self::Bind { address, option, why: source },
        }
    }
}

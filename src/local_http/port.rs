//! Opening a port, and why one could not be opened, each with its remedy.

use std::io;
use std::net::{SocketAddr, TcpListener};

use super::port_owner::PortOwner;
use crate::model::{Blame, Blamed};

/// Why a port could not be opened. `option` chose it.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    #[error("{}", in_use(*address, option, owner.as_ref()))]
    InUse { address: SocketAddr, option: &'static str, owner: Option<PortOwner> },
    #[error(
        "{address} may not be opened: only an administrator may open ports below 1024. \
         Choose a higher one with {option}"
    )]
    Denied { address: SocketAddr, option: &'static str },
    #[error(
        "{address} is not an address of this machine. {option} 127.0.0.1:{port} listens for this machine alone, \
         {option} 0.0.0.0:{port} for all that reach it",
        port = address.port()
    )]
    NotHere { address: SocketAddr, option: &'static str },
    #[error("tracelink cannot listen on {address}: {why}. Choose another address with {option}")]
    Bind { address: SocketAddr, option: &'static str, why: io::Error },
}

impl Blamed for PortError {
    fn blame(&self) -> Blame {
        Blame::Environment
    }
}

impl PortError {
    fn of(address: SocketAddr, option: &'static str, why: io::Error) -> Self {
        match why.kind() {
            io::ErrorKind::AddrInUse => Self::InUse { address, option, owner: PortOwner::of(address) },
            io::ErrorKind::PermissionDenied => Self::Denied { address, option },
            io::ErrorKind::AddrNotAvailable => Self::NotHere { address, option },
            _ => Self::Bind { address, option, why },
        }
    }
}

/// Opens a port for a runtime of tokio's; 0 takes a free one.
///
/// # Errors
///
/// [`PortError`], with the option that chose the address.
pub fn open_port(wanted: SocketAddr, option: &'static str) -> Result<(TcpListener, SocketAddr), PortError> {
    let failed = |why| PortError::of(wanted, option, why);
    let listener = TcpListener::bind(wanted).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok((listener, address))
}

/// Says who has the port, and the ways out.
fn in_use(address: SocketAddr, option: &str, owner: Option<&PortOwner>) -> String {
    let free = SocketAddr::new(address.ip(), 0);
    match owner {
        None => {
            format!(
                "{address} is in use: another program listens there. Take a free port with {option} {free}"
            )
        }
        Some(owner) => format!(
            "{address} is in use: {owner} listens there.\n\
             \x20 either  take a free port with {option} {free}\n\
             \x20 or      stop process {}",
            owner.pid()
        ),
    }
}

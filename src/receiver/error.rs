//! Why a port could not be opened, and how to fix that.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;

use crate::local_http::{PortError, PortOwner};
use crate::model::{Blame, Blamed};

/// Why the receiver does not listen.
#[derive(Debug, thiserror::Error)]
pub enum ReceiverError {
    #[error("{}", in_use(*address, option, owner.as_ref()))]
    InUse { address: SocketAddr, option: &'static str, owner: Option<PortOwner> },
    #[error(transparent)]
    Port(PortError),
    #[error("no thread could be started for the receiver: {0}")]
    Threads(io::Error),
}

impl Blamed for ReceiverError {
    fn blame(&self) -> Blame {
        Blame::Environment
    }
}

/// A port that is in use has a remedy of the receiver's own.
impl From<PortError> for ReceiverError {
    fn from(error: PortError) -> Self {
        match error {
            PortError::InUse { address, option, owner } => Self::InUse { address, option, owner },
            other => Self::Port(other),
        }
    }
}

/// Names the process that has the port, and the two ways out: another port, or forwarding.
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

//! The ports of the receiver.

use std::net::SocketAddr;

/// Which ports to open.
#[derive(Clone, Copy, Default, Debug)]
pub struct Ports {
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

//! The ports of the receiver.

use std::net::SocketAddr;

/// Which ports to open.
#[derive(Clone, Copy, Default, Debug)]
pub struct Ports {
    /// For gRPC only.
    pub grpc: Option<SocketAddr>,
    /// For HTTP only.
    pub http: Option<SocketAddr>,
    /// For both. They are distinguished by their first bytes and their content type.
    pub both: Option<SocketAddr>,
}

/// The ports that are open. For port 0, it is the one that the system chose.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Addresses {
    pub grpc: Option<SocketAddr>,
    pub http: Option<SocketAddr>,
    pub both: Option<SocketAddr>,
}

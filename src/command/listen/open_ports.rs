//! Where a session listens, as scripts read it.

use std::net::SocketAddr;

use serde::Serialize;

use crate::receiver::Addresses;

/// What `--ready-file` and `GET /health` of `--control` say.
#[derive(Clone, Debug, Serialize)]
pub struct OpenPorts {
    pid: u32,
    /// Where it takes OTLP over gRPC, and over HTTP; one address where a port takes both.
    grpc: Option<SocketAddr>,
    http: Option<SocketAddr>,
    /// Where it takes the requests of [`super::control`].
    #[serde(skip_serializing_if = "Option::is_none")]
    control: Option<SocketAddr>,
    /// Where the page of `--web` is.
    #[serde(skip_serializing_if = "Option::is_none")]
    web: Option<SocketAddr>,
}

impl OpenPorts {
    pub fn new(addresses: &Addresses, control: Option<SocketAddr>, web: Option<SocketAddr>) -> Self {
        let Addresses { grpc, http, both } = *addresses;
        Self { pid: std::process::id(), grpc: grpc.or(both), http: http.or(both), control, web }
    }

    /// Where it takes the requests of `--control`, if it does.
    pub const fn control(&self) -> Option<SocketAddr> {
        self.control
    }

    /// Where the page is, if there is one.
    pub const fn web(&self) -> Option<SocketAddr> {
        self.web
    }
}

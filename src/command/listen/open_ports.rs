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
    /// The store that is asked instead, without its password, and its table.
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<String>,
    /// Where it takes the requests of [`super::control`].
    #[serde(skip_serializing_if = "Option::is_none")]
    control: Option<SocketAddr>,
    /// Where the page of `--web` is.
    #[serde(skip_serializing_if = "Option::is_none")]
    web: Option<SocketAddr>,
    /// Where the figures of `--metrics` are.
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<SocketAddr>,
}

/// The ports beside those of the receiver.
#[derive(Clone, Copy, Default, Debug)]
pub struct SidePorts {
    pub control: Option<SocketAddr>,
    pub web: Option<SocketAddr>,
    pub metrics: Option<SocketAddr>,
}

impl OpenPorts {
    pub fn new(addresses: &Addresses, store: Option<&str>, beside: SidePorts) -> Self {
        let Addresses { grpc, http, both } = *addresses;
        let SidePorts { control, web, metrics } = beside;
        let (grpc, http, store) = (grpc.or(both), http.or(both), store.map(str::to_owned));
        Self { pid: std::process::id(), grpc, http, store, control, web, metrics }
    }

    /// Where it takes the requests of `--control`, if it does.
    pub const fn control(&self) -> Option<SocketAddr> {
        self.control
    }

    /// Where the figures are, if they are anywhere.
    pub const fn metrics(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// Where the page is, if there is one.
    pub const fn web(&self) -> Option<SocketAddr> {
        self.web
    }
}

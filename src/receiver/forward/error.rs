//! Why requests cannot be sent on, and how to fix that.

use std::io;
use std::path::PathBuf;

use crate::model::{Blame, Blamed};

/// What is wrong with the endpoint or the headers. URLs are shown without user, password,
/// path and query.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    #[error(
        "--forward {url} is not the URL of an OTLP endpoint: {why}. \
         Write http://host:4318 for OTLP over HTTP, http://host:4317 or grpc://host:port for gRPC"
    )]
    Url { url: String, why: String },
    #[error(
        "--forward {url}: gRPC has no paths. Write {url} without one, \
         or give the port of OTLP over HTTP, which is usually 4318"
    )]
    GrpcPath { url: String },
    /// The value may be a secret, so only the name is shown.
    #[error("`{name}` cannot be a header for --forward: write name=value, in ASCII, without line breaks")]
    Header { name: String },
    #[error("the certificates of {path} cannot be read: {why}. Name a PEM file", path = path.display())]
    Certificate { path: PathBuf, why: String },
    #[error(
        "this machine has no certificate authorities to check an https endpoint against: {0}. Install ca-certificates, \
         or name the endpoint's own in OTEL_EXPORTER_OTLP_CERTIFICATE"
    )]
    Roots(io::Error),
    #[error("no TLS: {0}")]
    Tls(rustls::Error),
    #[error("no thread could be started to send on: {0}")]
    Threads(io::Error),
}

impl Blamed for ForwardError {
    fn blame(&self) -> Blame {
        match self {
            Self::Url { .. } | Self::GrpcPath { .. } | Self::Header { .. } => Blame::Usage,
            Self::Certificate { .. } | Self::Roots(_) | Self::Tls(_) | Self::Threads(_) => Blame::Environment,
        }
    }
}

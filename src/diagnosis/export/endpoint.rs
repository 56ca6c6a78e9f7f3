//! Where exporters should send to, for a fix: the receiver's own doors where one
//! listens at ports that stay, else a place to fill in.

use crate::diagnosis::rule::Known;
use crate::evidence::Endpoints;

/// The endpoint of OTLP over gRPC.
pub fn grpc<'k>(known: &'k Known<'_>) -> &'k str {
    lasting(known).map_or("http://<collector>:4317", |endpoints| &endpoints.grpc)
}

/// The endpoint of OTLP over HTTP.
pub fn http<'k>(known: &'k Known<'_>) -> &'k str {
    lasting(known).map_or("http://<collector>:4318", |endpoints| &endpoints.http)
}

/// A command that runs under the receiver is told a port of this one time.
fn lasting<'k>(known: &'k Known<'_>) -> Option<&'k Endpoints> {
    known.evidence.receiver.endpoints.as_ref().filter(|endpoints| !endpoints.are_told)
}

//! Where the applications of the demo send their spans.

/// The two listeners of a receiver, as `http://host:port` each.
#[derive(Clone, Debug)]
pub struct OtlpEndpoints {
    pub grpc: String,
    /// It must take no gRPC: a fault sends gRPC there.
    pub http: String,
}

//! OTLP trace requests, in protobuf and JSON.

use crate::model::{Invalid, Resource, Scope, Span};

/// Takes what a request holds, in its order: a resource, its scopes, their spans.
///
/// A decoder borrows from the request's bytes, so a sink copies what it keeps.
pub trait Sink {
    /// The spans that follow come from this process.
    fn resource(&mut self, resource: &Resource<'_>);
    /// The spans that follow were made by this scope.
    fn scope(&mut self, scope: &Scope<'_>);
    /// A span with valid ids.
    fn span(&mut self, span: &Span<'_>);
    /// A span that cannot be kept, and the path of it in the request
    /// (`resourceSpans[0].scopeSpans[1].spans[7].traceId`).
    fn refused(&mut self, why: Invalid, at: &str);
}

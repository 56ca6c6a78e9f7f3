//! What a service answers.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, StatusCode};

use super::events::EventStream;

/// An answer that is whole.
pub type Response = http::Response<Bytes>;

/// Answers requests. It is asked on the one thread that serves all connections, so what
/// takes long is an [`Answer::Made`].
pub trait Service: Send + Sync + 'static {
    /// The answer to a request that may be answered. Its body is not handed on.
    fn answer(&self, request: &Parts) -> Answer;

    /// Says why a request is not answered, in words for whoever sent it.
    fn refusal(&self, request: &Parts, status: StatusCode, reason: &str) -> Response;
}

/// What a request is answered.
pub enum Answer {
    /// At once.
    Now(Response),
    /// By something that takes time and memory. It is made on a thread of its own, and few
    /// are held at a time ([`Limits::made`](super::Limits)): each until its client has read it.
    Made(Box<dyn FnOnce() -> Response + Send>),
    /// By events, until they end or the client goes.
    Events(EventStream),
}

/// An answer of this media type.
pub fn text(status: StatusCode, media_type: &'static str, text: impl Into<Bytes>) -> Response {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

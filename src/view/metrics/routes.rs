//! What can be asked: `/metrics`, and nothing else.

use std::sync::Arc;

use http::header::{ACCEPT, ALLOW};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};

use super::exposition::Syntax;
use super::families::Figures;
use crate::local_http::{Answer, Response, Service, text};

const TEXT: &str = "text/plain; charset=utf-8";

/// What has figures. They are asked for on a thread of their own.
pub trait Measured: Send + Sync {
    fn figures(&self) -> Figures;
}

/// Answers a monitoring system.
pub struct MetricsPage(Arc<dyn Measured>);

impl MetricsPage {
    pub const fn new(measured: Arc<dyn Measured>) -> Self {
        Self(measured)
    }
}

impl Service for MetricsPage {
    fn answer(&self, request: &Parts) -> Answer {
        if request.uri.path() != "/metrics" {
            return Answer::Now(text(StatusCode::NOT_FOUND, TEXT, "no such path: there is GET /metrics\n"));
        }
        if request.method != Method::GET && request.method != Method::HEAD {
            let reason = "this path takes GET and HEAD, and no other method\n";
            let mut refusal = text(StatusCode::METHOD_NOT_ALLOWED, TEXT, reason);
            refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return Answer::Now(refusal);
        }
        let accept = request.headers.get_all(ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
        let syntax = Syntax::accepted(&accept.collect::<Vec<_>>().join(","));
        let measured = Arc::clone(&self.0);
        Answer::Made(Box::new(move || {
            text(StatusCode::OK, syntax.media_type(), measured.figures().written(syntax))
        }))
    }

    fn refusal(&self, _: &Parts, status: StatusCode, reason: &str) -> Response {
        text(status, TEXT, format!("{reason}\n"))
    }
}

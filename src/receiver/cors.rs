//! Rules for browsers: pages of this machine may send, pages of other sites may not.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Uri};

/// Where a request comes from, according to its headers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// No browser sent it.
    Unsaid,
    /// A page of this machine.
    Local(HeaderValue),
    Foreign,
}

impl Origin {
    pub fn of(headers: &HeaderMap) -> Self {
        match headers.get(ORIGIN) {
            None => Self::Unsaid,
            Some(origin) if is_local(origin) => Self::Local(origin.clone()),
            Some(_) => Self::Foreign,
        }
    }

    /// Lets the page read the answer.
    pub fn allow(&self, headers: &mut HeaderMap) {
        if let Self::Local(origin) = self {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after"));
            headers.insert(VARY, HeaderValue::from_static("origin"));
        }
    }
}

fn is_local(origin: &HeaderValue) -> bool {
    let Some(origin) = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok()) else {
        return false;
    };
    let is_web = matches!(origin.scheme_str(), Some("http" | "https"));
    let is_here = matches!(origin.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
    is_web && is_here && origin.authority().is_some_and(|authority| !authority.as_str().contains('@'))
}

/// Whether this is a browser's question whether it may send.
pub fn is_preflight(parts: &Parts) -> bool {
    parts.method == Method::OPTIONS && parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Says what a page of this machine may send: whatever headers its SDK was given.
pub fn allow_preflight(request: &HeaderMap, headers: &mut HeaderMap) {
    const USUAL: HeaderValue = HeaderValue::from_static(
        "content-type, content-encoding, authorization, traceparent, tracestate, baggage, user-agent",
    );
    let wanted = request.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned().unwrap_or(USUAL);
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted);
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST, OPTIONS"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
    // Chrome asks this before a public page reaches a private address. A local page is
    // not public.
    if request.contains_key("access-control-request-private-network") {
        headers.insert("access-control-allow-private-network", HeaderValue::from_static("true"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_local() {
        let local = |origin: &'static str| is_local(&HeaderValue::from_static(origin));
        assert!(local("http://localhost:3000"));
        assert!(local("https://127.0.0.1"));
        assert!(local("http://[::1]:5173"));
        for foreign in [
            "null",
            "https://example.com",
            "http://localhost.example.com",
            "http://localhost@example.com",
            "http://example.com@localhost",
            "file://localhost",
            "localhost:3000",
            "",
        ] {
            assert!(!local(foreign), "{foreign}");
        }
    }
}

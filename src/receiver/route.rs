//! Decides by the head of a request what it asks for, and how to fix a wrong one.

use std::fmt::Write;

use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{Method, StatusCode, Version};
use tonic::Code;

use super::Addresses;
use super::answer::{AnswerFormat, ErrorAnswer};
use super::cors::{self, Origin};
use super::inbox::{OtlpEncoding, PortKind, Signal};
use crate::evidence::Outcome;

/// What to do with a request.
#[derive(PartialEq, Eq, Debug)]
pub enum Route {
    /// Read its body, and hand it on.
    Take(Signal, AnswerFormat),
    /// Greet a person, or a health check, at `/`.
    Greeting,
    /// Answer a browser that asks whether it may send.
    Preflight,
    Wrong(ErrorAnswer, AnswerFormat),
}

/// The kind of content that a request announces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Content {
    Grpc,
    Otlp(OtlpEncoding),
    Other,
}

impl Content {
    fn of(parts: &Parts) -> Self {
        let value = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let name = value.split(';').next().unwrap_or_default().trim();
        let is = |kind: &str| name.eq_ignore_ascii_case(kind);
        match () {
            () if is("application/grpc") || is("application/grpc+proto") => Self::Grpc,
            () if is("application/x-protobuf") => Self::Otlp(OtlpEncoding::Protobuf),
            () if is("application/json") => Self::Otlp(OtlpEncoding::Json),
            () => Self::Other,
        }
    }
}

/// Decides by the head of a request.
pub fn route(port: PortKind, parts: &Parts, origin: &Origin, addresses: &Addresses) -> Route {
    let content = Content::of(parts);
    let is_grpc = content == Content::Grpc && parts.version == Version::HTTP_2;
    match (port, is_grpc) {
        (PortKind::Grpc | PortKind::Both, true) => grpc(parts.uri.path()),
        (PortKind::Http, true) => Route::Wrong(grpc_on_http_port(addresses), AnswerFormat::Grpc),
        (PortKind::Grpc, false) => Route::Wrong(http_on_grpc_port(parts, content, addresses), form(content)),
        (PortKind::Http | PortKind::Both, false) => http(parts, content, origin),
    }
}

/// How to answer a client that named none of OTLP's content types: it may be a person.
fn form(content: Content) -> AnswerFormat {
    match content {
        Content::Otlp(encoding) => AnswerFormat::Http(encoding),
        Content::Grpc | Content::Other => AnswerFormat::Http(OtlpEncoding::Json),
    }
}

fn grpc(path: &str) -> Route {
    match Signal::ALL.into_iter().find(|signal| signal.method() == path) {
        Some(signal) => Route::Take(signal, AnswerFormat::Grpc),
        None => {
            let message = format!(
                "no such method: {}. This is an OTLP receiver of traces, metrics and logs",
                shown(path)
            );
            Route::Wrong(
                ErrorAnswer::new(Outcome::UnknownPath, StatusCode::NOT_FOUND, Code::Unimplemented, message),
                AnswerFormat::Grpc,
            )
        }
    }
}

fn grpc_on_http_port(addresses: &Addresses) -> ErrorAnswer {
    let here = "or stay on this port with OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf";
    let there = addresses.grpc.or(addresses.both);
    let message = match there {
        Some(there) => format!(
            "gRPC on the port of OTLP/HTTP. Send it to the gRPC port {}: \
             OTEL_EXPORTER_OTLP_ENDPOINT=http://{there}, {here}",
            there.port()
        ),
        None => format!("gRPC on the port of OTLP/HTTP. gRPC's own is 4317, {here}"),
    };
    ErrorAnswer::new(
        Outcome::GrpcOnHttpPort,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::Unimplemented,
        message,
    )
}

/// An exporter is recognised by its path or its content type. A browser or a health check
/// that comes to this port has neither, and is not a wrong exporter.
fn http_on_grpc_port(parts: &Parts, content: Content, addresses: &Addresses) -> ErrorAnswer {
    let is_telemetry = matches!(content, Content::Otlp(_)) && parts.method == Method::POST
        || Signal::ALL.iter().any(|signal| parts.uri.path().ends_with(signal.path()));
    let outcome = if is_telemetry { Outcome::HttpOnGrpcPort } else { Outcome::UnknownPath };
    let here = "or stay on this port with OTEL_EXPORTER_OTLP_PROTOCOL=grpc";
    let there = addresses.http.or(addresses.both);
    let message = match there {
        Some(there) => format!(
            "an HTTP request on the port of OTLP/gRPC. Send it to the HTTP port {}: \
             OTEL_EXPORTER_OTLP_ENDPOINT=http://{there}, {here}",
            there.port()
        ),
        None => format!("an HTTP request on the port of OTLP/gRPC. OTLP/HTTP's own is 4318, {here}"),
    };
    ErrorAnswer::new(outcome, StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::FailedPrecondition, message)
}

fn http(parts: &Parts, content: Content, origin: &Origin) -> Route {
    let path = parts.uri.path();
    let wrong = |fault| Route::Wrong(fault, form(content));
    if *origin == Origin::Foreign {
        return wrong(ErrorAnswer::new(
            Outcome::ForeignOrigin,
            StatusCode::FORBIDDEN,
            Code::PermissionDenied,
            "only pages of this machine (localhost, 127.0.0.1, [::1]) may send from a browser",
        ));
    }
    if cors::is_preflight(parts) {
        return Route::Preflight;
    }
    let is_read = matches!(parts.method, Method::GET | Method::HEAD);
    if path == "/" && is_read {
        return Route::Greeting;
    }
    let Some(signal) = Signal::ALL.into_iter().find(|signal| signal.path() == path) else {
        return wrong(lost(path, content));
    };
    if parts.method != Method::POST {
        return wrong(ErrorAnswer::new(
            Outcome::WrongMethod,
            StatusCode::METHOD_NOT_ALLOWED,
            Code::Unimplemented,
            format!("{path} takes POST only: an OpenTelemetry exporter sends here, nothing can be read"),
        ));
    }
    match content {
        Content::Otlp(encoding) => Route::Take(signal, AnswerFormat::Http(encoding)),
        Content::Grpc => wrong(unknown_type("gRPC needs HTTP/2; OTLP over HTTP/1")),
        Content::Other => wrong(unknown_type("OTLP")),
    }
}

fn unknown_type(what: &str) -> ErrorAnswer {
    ErrorAnswer::new(
        Outcome::UnknownContentType,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::InvalidArgument,
        format!("{what} comes as content-type application/x-protobuf or application/json"),
    )
}

/// The answer to an unknown path, according to the mistake that it looks like.
fn lost(path: &str, content: Content) -> ErrorAnswer {
    let is_otlp = matches!(content, Content::Otlp(_));
    let doubled = Signal::ALL.into_iter().find(|signal| path.trim_end_matches('/').ends_with(signal.path()));
    let (outcome, message) = match path {
        "/" if is_otlp => (
            Outcome::WithoutPath,
            "OTLP/HTTP goes to /v1/traces, /v1/metrics or /v1/logs, not to /. Set OTEL_EXPORTER_OTLP_ENDPOINT, \
             to which exporters add the path, or give the exporter's own endpoint with /v1/traces at its end"
                .to_owned(),
        ),
        "/api/v2/spans" | "/api/v1/spans" => (
            Outcome::Zipkin,
            "this is Zipkin's path, and spans are taken as OTLP only. \
             Set OTEL_TRACES_EXPORTER=otlp in place of zipkin; OTLP/HTTP goes to /v1/traces"
                .to_owned(),
        ),
        "/api/traces" => (
            Outcome::UnknownPath,
            "this is Jaeger's path, and spans are taken as OTLP only. \
             Set OTEL_TRACES_EXPORTER=otlp in place of jaeger; OTLP/HTTP goes to /v1/traces"
                .to_owned(),
        ),
        path if is_otlp && doubled.is_some() => (
            if doubled == Some(Signal::Traces) { Outcome::OtherPath } else { Outcome::UnknownPath },
            format!(
                "no such path: {}. Exporters add {} to OTEL_EXPORTER_OTLP_ENDPOINT: give it without a path",
                shown(path),
                doubled.map_or("", Signal::path)
            ),
        ),
        path => (
            Outcome::UnknownPath,
            format!("no such path: {}. OTLP/HTTP goes to /v1/traces, /v1/metrics or /v1/logs", shown(path)),
        ),
    };
    ErrorAnswer::new(outcome, StatusCode::NOT_FOUND, Code::Unimplemented, message)
}

/// A path as it is repeated to the client: short.
fn shown(path: &str) -> &str {
    const LONGEST: usize = 100;
    &path[..path.floor_char_boundary(LONGEST)]
}

/// What a port tells a person who opens it in a browser.
pub fn greeting(addresses: &Addresses) -> String {
    let mut text = "tracelink listens for OpenTelemetry here.\n\n".to_owned();
    let mut line = |name: &str, address: Option<std::net::SocketAddr>| {
        if let Some(address) = address {
            let _ = writeln!(text, "{name:<20} http://{address}");
        }
    };
    line("OTLP/gRPC", addresses.grpc);
    line("OTLP/HTTP", addresses.http);
    line("OTLP/gRPC and HTTP", addresses.both);
    text.push_str("\nOTLP/HTTP is posted to /v1/traces, /v1/metrics and /v1/logs.\n");
    text
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn addresses() -> Addresses {
        let address = |text: &str| Some(text.parse().expect("an address"));
        Addresses { grpc: address("127.0.0.1:4317"), http: address("127.0.0.1:4318"), both: None }
    }

    fn routed(port: PortKind, method: &str, path: &str, content: &str, version: Version) -> Route {
        let request = Request::builder().method(method).uri(path).version(version);
        let request = request.header(CONTENT_TYPE, content).body(()).expect("a request");
        route(port, &request.into_parts().0, &Origin::Unsaid, &addresses())
    }

    #[test]
    fn what_is_right_is_taken() {
        for signal in Signal::ALL {
            for (content, encoding) in [
                ("application/x-protobuf", OtlpEncoding::Protobuf),
                ("Application/JSON ; charset=utf-8", OtlpEncoding::Json),
            ] {
                for version in [Version::HTTP_11, Version::HTTP_2] {
                    for port in [PortKind::Http, PortKind::Both] {
                        let route = routed(port, "POST", signal.path(), content, version);
                        assert_eq!(route, Route::Take(signal, AnswerFormat::Http(encoding)));
                    }
                }
            }
            for port in [PortKind::Grpc, PortKind::Both] {
                let route = routed(port, "POST", signal.method(), "application/grpc", Version::HTTP_2);
                assert_eq!(route, Route::Take(signal, AnswerFormat::Grpc));
            }
        }
    }

    #[test]
    fn each_wrong_way_names_the_right_one() {
        let (h1, h2) = (Version::HTTP_11, Version::HTTP_2);
        let trace = Signal::Traces.method();
        let cases = [
            (
                PortKind::Http,
                "POST",
                trace,
                "application/grpc",
                h2,
                Outcome::GrpcOnHttpPort,
                "127.0.0.1:4317",
            ),
            (
                PortKind::Grpc,
                "POST",
                "/v1/traces",
                "application/json",
                h1,
                Outcome::HttpOnGrpcPort,
                "127.0.0.1:4318",
            ),
            (
                PortKind::Grpc,
                "POST",
                "/v1/traces",
                "application/json",
                h2,
                Outcome::HttpOnGrpcPort,
                "127.0.0.1:4318",
            ),
            (
                PortKind::Grpc,
                "POST",
                "/",
                "application/x-protobuf",
                h1,
                Outcome::HttpOnGrpcPort,
                "127.0.0.1:4318",
            ),
            // A browser, or a health check.
            (PortKind::Grpc, "GET", "/favicon.ico", "", h1, Outcome::UnknownPath, "127.0.0.1:4318"),
            (PortKind::Grpc, "POST", "/a.B/C", "application/grpc", h2, Outcome::UnknownPath, "/a.B/C"),
            (PortKind::Http, "POST", "/", "application/json", h1, Outcome::WithoutPath, "/v1/traces"),
            (PortKind::Http, "POST", "/", "text/html", h1, Outcome::UnknownPath, "/v1/traces"),
            (
                PortKind::Http,
                "POST",
                "/api/v2/spans",
                "application/json",
                h1,
                Outcome::Zipkin,
                "OTEL_TRACES_EXPORTER=otlp",
            ),
            (
                PortKind::Http,
                "POST",
                "/v1/traces/v1/traces",
                "application/json",
                h1,
                Outcome::OtherPath,
                "without a path",
            ),
            (
                PortKind::Http,
                "POST",
                "/v1/metrics/v1/metrics",
                "application/json",
                h1,
                Outcome::UnknownPath,
                "without a path",
            ),
            (
                PortKind::Http,
                "POST",
                "/v1/traces",
                "text/html",
                h1,
                Outcome::UnknownContentType,
                "application/x-protobuf",
            ),
            (PortKind::Both, "POST", trace, "application/grpc", h1, Outcome::UnknownPath, "/v1/traces"),
            (PortKind::Http, "PUT", "/v1/logs", "application/json", h1, Outcome::WrongMethod, "POST"),
        ];
        for (port, method, path, content, version, outcome, remedy) in cases {
            match routed(port, method, path, content, version) {
                Route::Wrong(fault, _) => {
                    assert_eq!(fault.outcome, outcome, "{method} {path}");
                    assert!(fault.message.contains(remedy), "{}", fault.message);
                }
                route => panic!("{method} {path}: {route:?}"),
            }
        }
    }
}

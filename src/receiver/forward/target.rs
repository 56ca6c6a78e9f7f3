//! Where to send on: a URL as people write it, and what it means.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::uri::Authority;
use http::{HeaderValue, Uri};
use percent_encoding::percent_decode_str;

use super::error::ForwardError;
use crate::evidence::OtlpProtocol;
use crate::receiver::{Addresses, Signal};

/// An OTLP endpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    pub protocol: OtlpProtocol,
    pub is_tls: bool,
    authority: Authority,
    /// The path before `/v1/traces`: empty, or without a slash at its end.
    prefix: String,
    query: String,
    /// The user and password of the URL.
    pub authorization: Option<HeaderValue>,
}

/// The port of OTLP over gRPC.
const GRPC_PORT: u16 = 4317;

impl Target {
    /// Reads `http://host:4318` like `OTEL_EXPORTER_OTLP_ENDPOINT`: the path of the
    /// signal is added. It means gRPC where the scheme is `grpc` or `grpcs`, or where the
    /// port is 4317 and the path is not that of a signal.
    pub fn parse(url: &str) -> Result<Self, ForwardError> {
        let wrong = |why: &dyn fmt::Display| ForwardError::Url { url: masked(url), why: why.to_string() };
        let (scheme, rest) = url.trim().split_once("://").unwrap_or(("http", url.trim()));
        let scheme = scheme.to_ascii_lowercase();
        let (is_tls, is_named_grpc) = match &*scheme {
            "http" => (false, false),
            "https" => (true, false),
            "grpc" => (false, true),
            "grpcs" => (true, true),
            _ => return Err(wrong(&"its scheme is none of http, https, grpc and grpcs")),
        };
        let uri: Uri =
            format!("http://{rest}").parse().map_err(|error: http::uri::InvalidUri| wrong(&error))?;
        let whole = uri.authority().map(Authority::as_str).unwrap_or_default();
        let (user, place) = whole.rsplit_once('@').map_or((None, whole), |(user, place)| (Some(user), place));
        let host_end = place.rfind(']').unwrap_or_default();
        let port = match place[host_end..].rsplit_once(':') {
            Some((_, port)) => Some(port.parse::<u16>().map_err(|_| wrong(&"its port is no port"))?),
            None => None,
        };
        let path = uri.path().trim_end_matches('/');
        let of_signal = Signal::ALL.into_iter().find_map(|signal| path.strip_suffix(signal.path()));
        let is_grpc = is_named_grpc || (port == Some(GRPC_PORT) && of_signal.is_none());
        let prefix = of_signal.unwrap_or(path).trim_end_matches('/').to_owned();
        if is_grpc && !path.is_empty() {
            return Err(ForwardError::GrpcPath { url: format!("{scheme}://{place}") });
        }
        let place = match port {
            None if is_named_grpc => format!("{place}:{GRPC_PORT}"),
            _ => place.to_owned(),
        };
        let authority: Authority = place.parse().map_err(|error: http::uri::InvalidUri| wrong(&error))?;
        if authority.host().is_empty() {
            return Err(wrong(&"it names no host"));
        }
        Ok(Self {
            protocol: if is_grpc { OtlpProtocol::Grpc } else { OtlpProtocol::Http },
            is_tls,
            authority,
            prefix,
            query: uri.query().map(|query| format!("?{query}")).unwrap_or_default(),
            authorization: user.map(basic),
        })
    }

    /// The URL for a request of this signal.
    pub fn uri(&self, signal: Signal) -> Uri {
        let scheme = if self.is_tls { "https" } else { "http" };
        let path = match self.protocol {
            OtlpProtocol::Grpc => signal.method().to_owned(),
            OtlpProtocol::Http => format!("{}{}{}", self.prefix, signal.path(), self.query),
        };
        Uri::builder()
            .scheme(scheme)
            .authority(self.authority.clone())
            .path_and_query(path)
            .build()
            .expect("its parts were parsed as parts of a URL")
    }

    /// The one of these ports that it leads to: requests would come back.
    pub fn leads_to(&self, ports: &Addresses) -> Option<SocketAddr> {
        let port = self.authority.port_u16().unwrap_or(if self.is_tls { 443 } else { 80 });
        let host = self.authority.host().trim_start_matches('[').trim_end_matches(']');
        let ip = host.parse::<IpAddr>().ok();
        let is_here = host.eq_ignore_ascii_case("localhost")
            || ip.is_some_and(|ip| ip.is_loopback() || ip.is_unspecified());
        let own = [ports.grpc, ports.http, ports.both].into_iter().flatten();
        own.into_iter().find(|own| own.port() == port && (is_here || ip == Some(own.ip())))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match (self.protocol, self.is_tls) {
            (OtlpProtocol::Grpc, false) => "grpc",
            (OtlpProtocol::Grpc, true) => "grpcs",
            (OtlpProtocol::Http, false) => "http",
            (OtlpProtocol::Http, true) => "https",
        };
        // A path may be a key. Some vendors' endpoints have it there.
        let path = if self.prefix.is_empty() { "" } else { "/***" };
        write!(f, "{scheme}://{}{path}", self.authority)
    }
}

/// The URL without user, password, path and query, because a path or a query may be a
/// key. Everything before the last `@`, wherever that is, counts as a password: a
/// password that has a `/` or `#` and is not encoded looks like a path.
fn masked(url: &str) -> String {
    let start = url.find("://").map_or(0, |at| at + "://".len());
    let (scheme, rest) = url.split_at(start);
    let (user, place) = match rest.rfind('@') {
        Some(at) => ("***@", &rest[at + 1..]),
        None => ("", rest),
    };
    match place.find(['/', '?', '#']) {
        Some(end) if end + 1 < place.len() => format!("{scheme}{user}{}***", &place[..=end]),
        _ => format!("{scheme}{user}{place}"),
    }
}

fn basic(user: &str) -> HeaderValue {
    let bytes: Vec<u8> = percent_decode_str(user).collect();
    let mut value = HeaderValue::from_str(&format!("Basic {}", BASE64_STANDARD.encode(bytes)))
        .expect("Base64 is ASCII without line breaks");
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_understood_as_exporters_do() {
        let grpc = Signal::Traces.method();
        for (url, shown, traces) in [
            ("http://otel:4318", "http://otel:4318", "http://otel:4318/v1/traces".to_owned()),
            ("http://otel:4318/", "http://otel:4318", "http://otel:4318/v1/traces".to_owned()),
            ("otel:4318", "http://otel:4318", "http://otel:4318/v1/traces".to_owned()),
            ("https://a.b/otlp/?k=v", "https://a.b/***", "https://a.b/otlp/v1/traces?k=v".to_owned()),
            ("http://otel:4318/v1/traces", "http://otel:4318", "http://otel:4318/v1/traces".to_owned()),
            (
                "http://otel:4318/x/v1/logs/",
                "http://otel:4318/***",
                "http://otel:4318/x/v1/traces".to_owned(),
            ),
            ("http://otel:4317", "grpc://otel:4317", format!("http://otel:4317{grpc}")),
            ("HTTPS://otel:4317/", "grpcs://otel:4317", format!("https://otel:4317{grpc}")),
            ("http://otel:4317/v1/traces", "http://otel:4317", "http://otel:4317/v1/traces".to_owned()),
            ("grpc://otel", "grpc://otel:4317", format!("http://otel:4317{grpc}")),
            ("grpcs://[::1]:9", "grpcs://[::1]:9", format!("https://[::1]:9{grpc}")),
            ("http://[::1]", "http://[::1]", "http://[::1]/v1/traces".to_owned()),
        ] {
            let target = Target::parse(url).expect(url);
            assert_eq!(target.to_string(), shown, "{url}");
            assert_eq!(target.uri(Signal::Traces).to_string(), traces, "{url}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_no_password_is() {
        for (url, why) in [
            ("ftp://host", "its scheme"),
            ("http://", "--forward http:// is not the URL"),
            ("", "is not the URL"),
            ("http://:4318", "names no host"),
            ("http://host:99999", "its port"),
            ("http://host:x", "is not the URL"),
            ("http://us er:secret@host", "is not the URL"),
            ("ftp://user:secret@host/@", "ftp://***@ is not the URL"),
            ("ftp://host/secret", "ftp://host/*** is not the URL"),
            ("http://host:x/secret/v1/traces", "http://host:x/*** is not the URL"),
            ("http://host:99999#secret", "http://host:99999#*** is not the URL"),
            ("http://user:se/cret@host", "http://***@host is not the URL"),
            ("http://user:se#secret@host", "is not the URL"),
            ("http://user:se?secret@host", "is not the URL"),
            ("ftp://host/otlp?api-key=secret", "ftp://host/*** is not the URL"),
            ("ftp://host/otlp?api-key=secret&mail=a@b", "is not the URL"),
            ("grpc://user:secret@host:1/v1/traces", "gRPC has no paths. Write grpc://host:1 without"),
            ("http://host:4317/otlp", "gRPC has no paths. Write http://host:4317 without"),
        ] {
            let error = Target::parse(url).expect_err(url).to_string();
            assert!(error.contains(why), "{url}: {error}");
            assert!(!error.contains("secret"), "{url}: {error}");
        }
        let target = Target::parse("http://us%40er:secret@host").expect("a URL");
        assert_eq!(target.to_string(), "http://host");
        let sent = target.authorization.expect("credentials");
        assert_eq!(sent, "Basic dXNAZXI6c2VjcmV0");
        assert!(sent.is_sensitive());
    }

    #[test]
    fn a_door_of_ones_own_is_seen() {
        let ports = Addresses { http: "127.0.0.1:4318".parse().ok(), ..Addresses::default() };
        for (url, is_ours) in [
            ("http://localhost:4318", true),
            ("http://[::1]:4318/v1/traces", true),
            ("127.0.0.1:4318", true),
            ("http://127.0.0.1:4319", false),
            ("http://127.0.0.1", false),
            ("http://otel:4318", false),
        ] {
            assert_eq!(Target::parse(url).expect(url).leads_to(&ports).is_some(), is_ours, "{url}");
        }
    }
}

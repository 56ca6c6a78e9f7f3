//! The client for the endpoint: connections, TLS, and one attempt at a request.

use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, TE, TRANSFER_ENCODING, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::error::ForwardError;
use super::reply::{self, Reply};
use super::sent::Loss;
use super::target::Target;
use crate::evidence::OtlpProtocol;
use crate::receiver::{OtlpEncoding, Signal};

/// The endpoint, and how to reach it.
pub struct EndpointClient {
    pub target: Target,
    headers: HeaderMap,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// How long one attempt may take. It is the usual default of exporters.
const ATTEMPT: Duration = Duration::from_secs(10);

impl EndpointClient {
    pub fn new(
        target: Target,
        headers: &[(String, String)],
        certificate: Option<&Path>,
    ) -> Result<Self, ForwardError> {
        let headers = own_headers(&target, headers)?;
        let mut http = HttpConnector::new();
        http.set_nodelay(true);
        http.enforce_http(false);
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls(&target, certificate)?).https_or_http();
        let connector = match target.protocol {
            OtlpProtocol::Grpc => connector.enable_http2().wrap_connector(http),
            OtlpProtocol::Http => connector.enable_http1().wrap_connector(http),
        };
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .http2_only(target.protocol == OtlpProtocol::Grpc)
            .build(connector);
        Ok(Self { target, headers, client })
    }

    /// Sends a request once.
    pub async fn attempt(&self, signal: Signal, encoding: OtlpEncoding, body: Bytes) -> Reply {
        match tokio::time::timeout(ATTEMPT, self.exchange(signal, encoding, body)).await {
            Ok(reply) => reply,
            Err(_late) => {
                let why = format!("no answer in {} s", ATTEMPT.as_secs());
                Reply::Again { why: Loss::Unreachable(why), after: None }
            }
        }
    }

    async fn exchange(&self, signal: Signal, encoding: OtlpEncoding, body: Bytes) -> Reply {
        /// The most bytes of an answer that are read. An answer usually has a few
        /// hundred.
        const ANSWER: usize = 64 << 10;
        let content = match self.target.protocol {
            OtlpProtocol::Grpc => "application/grpc",
            OtlpProtocol::Http => encoding.content_type(),
        };
        let length = body.len();
        let mut request =
            Request::post(self.target.uri(signal)).body(Full::new(body)).expect("its parts are checked");
        request.headers_mut().extend(self.headers.clone());
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content));
        // hyper omits it for an empty request, and some servers insist on it.
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
        let (parts, body) = match self.client.request(request).await {
            Ok(response) => response.into_parts(),
            Err(error) => return Reply::Again { why: Loss::Unreachable(cause(&error)), after: None },
        };
        let collected = match Limited::new(body, ANSWER).collect().await {
            Ok(collected) => Some(collected),
            // gRPC's status comes at the end, and is missing.
            Err(error) if self.target.protocol == OtlpProtocol::Grpc => {
                return Reply::Again { why: Loss::Unreachable(cause(&*error)), after: None };
            }
            // HTTP's status came first, and is valid.
            Err(_) => None,
        };
        let trailers = collected.as_ref().and_then(|collected| collected.trailers().cloned());
        let body = collected.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        match self.target.protocol {
            OtlpProtocol::Grpc => reply::over_grpc(parts.status, &parts.headers, trailers.as_ref(), &body),
            OtlpProtocol::Http => reply::over_http(parts.status, &parts.headers, &body),
        }
    }
}

/// The headers of every request.
fn own_headers(target: &Target, given: &[(String, String)]) -> Result<HeaderMap, ForwardError> {
    let mut headers = HeaderMap::new();
    let agent = concat!("tracelink/", env!("CARGO_PKG_VERSION"));
    headers.insert(USER_AGENT, HeaderValue::from_static(agent));
    if let Some(authorization) = &target.authorization {
        headers.insert(AUTHORIZATION, authorization.clone());
    }
    for (name, value) in given {
        let wrong = || ForwardError::Header { name: name.clone() };
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        // The request sets these itself.
        if [CONTENT_TYPE, CONTENT_LENGTH, TRANSFER_ENCODING, TE].contains(&key) {
            return Err(wrong());
        }
        let mut value = HeaderValue::from_str(value).map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    if target.protocol == OtlpProtocol::Grpc {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    Ok(headers)
}

/// Trusts this machine's certificates, or only those of the file.
fn tls(target: &Target, certificate: Option<&Path>) -> Result<ClientConfig, ForwardError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(ForwardError::Tls)?;
    let config = match certificate {
        _ if !target.is_tls => config.with_root_certificates(RootCertStore::empty()),
        Some(path) => config.with_root_certificates(roots(path)?),
        None => config.with_native_roots().map_err(ForwardError::Roots)?,
    };
    Ok(config.with_no_client_auth())
}

fn roots(path: &Path) -> Result<RootCertStore, ForwardError> {
    let wrong =
        |why: &dyn std::fmt::Display| ForwardError::Certificate { path: path.into(), why: why.to_string() };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))? {
        let certificate = certificate.map_err(|error| wrong(&error))?;
        roots.add(certificate).map_err(|error| wrong(&error))?;
    }
    if roots.is_empty() {
        return Err(wrong(&"there is none in it"));
    }
    Ok(roots)
}

/// The innermost cause of an error, in few words.
fn cause(error: &(dyn Error + 'static)) -> String {
    const LONGEST: usize = 120;
    let chain = || std::iter::successors(Some(error), |error: &&(dyn Error + 'static)| (*error).source());
    let io = chain().find_map(|error| error.downcast_ref::<io::Error>());
    let mut text = match io.map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => "connection refused".to_owned(),
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => {
            "connection broken off".to_owned()
        }
        _ => io
            .map(ToString::to_string)
            .or_else(|| chain().last().map(ToString::to_string))
            .unwrap_or_default(),
    };
    text.truncate(text.floor_char_boundary(LONGEST));
    text
}

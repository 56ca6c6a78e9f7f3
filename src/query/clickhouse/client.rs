//! Asks ClickHouse over HTTP, a question at a time, and hands over the rows as they come.
//!
//! Each request carries `readonly=1` with the limits. Both in one request are allowed: the
//! server checks each setting against those that the user has before the request
//! (`SettingsConstraints::getChecker`), so `readonly` of the same request forbids none of
//! them. Where a user is read-only already, it is different. With `readonly=2` the limits may
//! be set and `readonly` itself may not; with `readonly=1` nothing may, and the limits are
//! those of the user's profile (<https://clickhouse.com/docs/operations/settings/permissions-for-queries>).
//! So a request that is refused for a setting is sent again with fewer of them.
//!
//! The question is the body of a POST: a GET would be read-only by itself, but then
//! `readonly` may not be set, and addresses are limited in length.

use std::cell::Cell;
use std::error::Error;
use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{HeaderValue, USER_AGENT};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::{ClientConfig, RootCertStore};
use serde::de::DeserializeOwned;
use tokio::runtime::{Builder, Runtime};

use super::answer::{Exception, Rows, code, shortened};
use super::error::QueryError;
use super::limits::Limits;
use super::sql::Question;
use super::url::ClickhouseUrl;

/// How long a connection may take.
const CONNECTING: Duration = Duration::from_secs(10);
/// How long Ctrl-C may wait for an answer.
const MOMENT: Duration = Duration::from_millis(50);
/// The most bytes of an error that are read.
const ERROR: usize = 64 << 10;

/// What a client tells of its work, for whoever shows it.
#[derive(Debug)]
pub enum Told<'t> {
    /// A question is asked: why, and its SQL.
    Asked { what: &'static str, sql: &'t str },
    /// So many rows of its answer have come.
    Rows { what: &'static str, rows: u64 },
    /// It was answered.
    Answered { what: &'static str, rows: u64, took: Duration, read: Cost },
}

/// Takes what a client tells.
pub type OnTold<'l> = Box<dyn Fn(Told<'_>) + 'l>;

/// What questions have cost the server, as far as it says so.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Cost {
    pub questions: u64,
    pub rows: u64,
    pub bytes: u64,
}

/// Which settings the user may send, and the server knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Access {
    /// `readonly` and the limits.
    All,
    /// The limits: the user is read-only by `readonly=2`.
    Limits,
    /// None: the user is read-only by `readonly=1`.
    None,
}

/// A ClickHouse that is asked.
pub struct Client<'l> {
    url: ClickhouseUrl,
    /// The URL without its password.
    shown: String,
    limits: Limits,
    http: HttpClient<HttpsConnector<HttpConnector>, Full<Bytes>>,
    runtime: Runtime,
    access: Cell<Access>,
    cost: Cell<Cost>,
    interrupted: Arc<AtomicBool>,
    on_told: OnTold<'l>,
}

/// How a question ended that has no answer.
enum Failed {
    Error(QueryError),
    Exception(Exception),
}

impl From<QueryError> for Failed {
    fn from(error: QueryError) -> Self {
        Self::Error(error)
    }
}

impl<'l> Client<'l> {
    /// A client of that ClickHouse. It connects with its first question. Once `interrupted`
    /// is set, a question ends, and the server is told so by the end of the connection.
    ///
    /// # Errors
    ///
    /// [`QueryError`], where TLS or the runtime cannot be set up.
    pub fn new(
        url: ClickhouseUrl,
        limits: Limits,
        interrupted: Arc<AtomicBool>,
        on_told: OnTold<'l>,
    ) -> Result<Self, QueryError> {
        let mut http = HttpConnector::new();
        http.set_nodelay(true);
        http.enforce_http(false);
        http.set_connect_timeout(Some(CONNECTING));
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls(&url)?).https_or_http();
        let connector = connector.enable_http1().wrap_connector(http);
        let runtime = Builder::new_current_thread().enable_all().build().map_err(QueryError::Runtime)?;
        Ok(Self {
            shown: url.to_string(),
            url,
            limits,
            http: HttpClient::builder(TokioExecutor::new()).build(connector),
            runtime,
            access: Cell::new(Access::All),
            cost: Cell::new(Cost::default()),
            interrupted,
            on_told,
        })
    }

    /// The URL without its password.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The database of the URL.
    pub fn database(&self) -> Option<&str> {
        self.url.database.as_deref()
    }

    /// What the questions have cost so far.
    pub const fn cost(&self) -> Cost {
        self.cost.get()
    }

    /// Whether the limits are those of the user's profile, because the user may set none.
    pub fn has_own_limits(&self) -> bool {
        self.access.get() != Access::None
    }

    /// Asks, and hands over each row of the answer as a value.
    ///
    /// # Errors
    ///
    /// [`QueryError`], with what was asked.
    pub(super) fn rows<T: DeserializeOwned>(
        &self,
        question: &Question,
        mut each: impl FnMut(T),
    ) -> Result<(), QueryError> {
        self.ask(question, &mut |row| {
            let row = String::from_utf8_lossy(row);
            serde_json::from_str(&row).map(&mut each).map_err(|error| error.to_string())
        })
    }

    /// Asks, and hands over each row of the answer. `each` says what is wrong with a row.
    ///
    /// # Errors
    ///
    /// [`QueryError`], with what was asked.
    pub(super) fn ask(
        &self,
        question: &Question,
        each: &mut dyn FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<(), QueryError> {
        let what = question.what;
        loop {
            // Questions that are answered at once would never notice it.
            if self.interrupted.load(Ordering::Relaxed) {
                return Err(QueryError::Interrupted { url: self.shown.clone() });
            }
            (self.on_told)(Told::Asked { what, sql: &question.sql });
            #[allow(clippy::disallowed_methods, reason = "how long an answer takes is told")]
            let began = Instant::now();
            let mut rows = 0;
            let mut counted = |row: &[u8]| {
                rows += 1;
                (self.on_told)(Told::Rows { what, rows });
                each(row)
            };
            match self.runtime.block_on(self.exchange(question, began, &mut counted)) {
                Ok(read) => {
                    let Cost { questions, rows: read_rows, bytes } = self.cost.get();
                    self.cost.set(Cost {
                        questions: questions + 1,
                        rows: read_rows.saturating_add(read.rows),
                        bytes: bytes.saturating_add(read.bytes),
                    });
                    (self.on_told)(Told::Answered { what, rows, took: began.elapsed(), read });
                    return Ok(());
                }
                Err(Failed::Error(error)) => return Err(error),
                Err(Failed::Exception(exception)) => {
                    let refused = [code::READONLY, code::UNKNOWN_SETTING];
                    let is_about_settings = refused.contains(&exception.code) && rows == 0;
                    // An old server has to say its version, and knows not all of the limits.
                    let fewer = match self.access.get() {
                        Access::All if exception.code == code::READONLY => Access::Limits,
                        Access::All | Access::Limits | Access::None => Access::None,
                    };
                    if !is_about_settings || self.access.get() == fewer {
                        return Err(exception.into_error(&self.shown, what, &self.limits));
                    }
                    self.access.set(fewer);
                }
            }
        }
    }

    async fn exchange(
        &self,
        question: &Question,
        began: Instant,
        each: &mut dyn FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<Cost, Failed> {
        let what = question.what;
        let sending = self.http.request(self.request(question));
        let answer = self.patient(sending, began, what).await?;
        let answer = answer.map_err(|error| self.unreachable(&error))?;
        let (parts, mut body) = answer.into_parts();
        if parts.status != StatusCode::OK {
            let said = self.text(&mut body, Vec::new(), began, what).await?;
            return Err(self.refusal(&parts.headers, parts.status, &said));
        }
        let broken = |why: String| QueryError::Broken { url: self.shown.clone(), what, why };
        let mut rows = Rows::new(self.limits.row);
        let mut left = self.limits.answer;
        // The row that was wrong: the server's own error may begin in it.
        let mut wrong = Vec::new();
        let mut checked =
            |row: &[u8]| each(row).inspect_err(|_| wrong = row[..row.len().min(ERROR)].to_vec());
        let done = loop {
            let Some(frame) = self.patient(body.frame(), began, what).await? else {
                break rows.end(&mut checked);
            };
            let frame = frame.map_err(|error| broken(cause(&error)))?;
            let Ok(bytes) = frame.into_data() else { continue };
            let most = self.limits.answer;
            let endless = || QueryError::Endless { url: self.shown.clone(), what, most };
            left = left.checked_sub(bytes.len() as u64).ok_or_else(endless)?;
            let taken = rows.take(&bytes, &mut checked);
            let taken =
                taken.map_err(|_| broken(format!("a row has more than {} bytes", self.limits.row)))?;
            if taken.is_err() {
                // What follows the row's break may be the rest of it.
                wrong.extend_from_slice(b"\n");
                wrong.extend_from_slice(&bytes[..bytes.len().min(ERROR)]);
                break taken;
            }
        };
        match done {
            Ok(()) => Ok(cost(&parts.headers)),
            Err(why) => {
                let said = self.text(&mut body, wrong, began, what).await.unwrap_or_default();
                Err(Exception::find(&said).map_or_else(|| broken(why).into(), Failed::Exception))
            }
        }
    }

    /// Waits for something until it is late or interrupted.
    async fn patient<F: Future>(
        &self,
        waited_for: F,
        began: Instant,
        what: &'static str,
    ) -> Result<F::Output, QueryError> {
        tokio::pin!(waited_for);
        loop {
            if let Ok(done) = tokio::time::timeout(MOMENT, &mut waited_for).await {
                return Ok(done);
            }
            let url = || self.shown.clone();
            if self.interrupted.load(Ordering::Relaxed) {
                return Err(QueryError::Interrupted { url: url() });
            }
            if began.elapsed() > self.limits.time.saturating_add(Limits::GRACE) {
                return Err(QueryError::Time { url: url(), what, limit: self.limits.time });
            }
        }
    }

    /// The rest of an answer that is not one, as a text.
    async fn text(
        &self,
        body: &mut Incoming,
        mut held: Vec<u8>,
        began: Instant,
        what: &'static str,
    ) -> Result<String, QueryError> {
        while held.len() < 2 * ERROR {
            match self.patient(body.frame(), began, what).await? {
                Some(Ok(frame)) => held.extend_from_slice(&frame.into_data().unwrap_or_default()),
                Some(Err(_)) | None => break,
            }
        }
        held.truncate(2 * ERROR);
        Ok(String::from_utf8_lossy(&held).into_owned())
    }

    fn request(&self, question: &Question) -> Request<Full<Bytes>> {
        let limits = [
            ("max_execution_time", self.limits.time.as_secs().max(1)),
            ("max_rows_to_read", self.limits.rows),
            ("max_bytes_to_read", self.limits.bytes),
            ("max_memory_usage", self.limits.memory),
            ("cancel_http_readonly_queries_on_client_close", 1),
        ];
        let limits = if self.access.get() == Access::None { &[][..] } else { &limits[..] };
        let mut uri = self.url.endpoint() + "?default_format=JSONCompactEachRow";
        if self.access.get() == Access::All {
            uri.push_str("&readonly=1");
        }
        for (name, value) in limits {
            let _ = write!(uri, "&{name}={value}");
        }
        let sql = Bytes::from(question.sql.clone());
        let mut request =
            Request::post(uri).body(Full::new(sql)).expect("its parts were checked as parts of a URL");
        let headers = request.headers_mut();
        headers
            .insert(USER_AGENT, HeaderValue::from_static(concat!("tracelink/", env!("CARGO_PKG_VERSION"))));
        // Headers, and not the address: addresses are logged.
        let login = [("x-clickhouse-user", &self.url.user), ("x-clickhouse-key", &self.url.password)];
        for (name, value) in login {
            let value = value.as_ref().and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok());
            if let Some(mut value) = value {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
        }
        request
    }

    /// Why there is no answer, by the status and what was said.
    fn refusal(&self, headers: &HeaderMap, status: StatusCode, said: &str) -> Failed {
        let url = self.shown.clone();
        if let Some(exception) = Exception::find(said) {
            return Failed::Exception(exception);
        }
        let number =
            headers.get("x-clickhouse-exception-code").and_then(|code| code.to_str().ok()?.parse().ok());
        if let Some(code) = number {
            return Failed::Exception(Exception { code, said: shortened(said) });
        }
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => QueryError::Denied { url }.into(),
            _ => QueryError::NotClickhouse { url, said: format!("HTTP status {}", status.as_u16()) }.into(),
        }
    }

    fn unreachable(&self, error: &(dyn Error + 'static)) -> QueryError {
        let url = self.shown.clone();
        let is_tls = chain(error).any(<dyn Error>::is::<rustls::Error>);
        let is_http = chain(error)
            .any(|error| error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse));
        match (is_tls, is_http) {
            (true, _) => QueryError::Tls { url, why: cause(error) },
            (_, true) => QueryError::NotClickhouse { url, said: "something that is not HTTP".to_owned() },
            _ => QueryError::Unreachable { url, why: cause(error) },
        }
    }
}

/// What the server says that it has read.
fn cost(headers: &HeaderMap) -> Cost {
    #[derive(Default, serde::Deserialize)]
    #[serde(default)]
    struct Summary {
        read_rows: String,
        read_bytes: String,
    }
    let summary = headers.get("x-clickhouse-summary").and_then(|summary| summary.to_str().ok());
    let summary: Summary = summary.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let number = |text: String| text.parse().unwrap_or_default();
    Cost { questions: 1, rows: number(summary.read_rows), bytes: number(summary.read_bytes) }
}

fn tls(url: &ClickhouseUrl) -> Result<ClientConfig, QueryError> {
    let shown = || url.to_string();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| QueryError::Tls { url: shown(), why: error.to_string() })?;
    let config = if url.is_tls {
        config.with_native_roots().map_err(|source| QueryError::Roots { url: shown(), source })?
    } else {
        config.with_root_certificates(RootCertStore::empty())
    };
    Ok(config.with_no_client_auth())
}

fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'e (dyn Error + 'static)| (*error).source())
}

/// The innermost cause of an error, in few words.
fn cause(error: &(dyn Error + 'static)) -> String {
    let io = chain(error).find_map(|error| error.downcast_ref::<io::Error>());
    match io.map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => "connection refused".to_owned(),
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => {
            "connection broken off".to_owned()
        }
        Some(io::ErrorKind::TimedOut) => "no connection in time".to_owned(),
        _ => shortened(&chain(error).last().map(ToString::to_string).unwrap_or_default()),
    }
}

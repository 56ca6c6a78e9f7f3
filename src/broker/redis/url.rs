//! A broker's URL, as Celery and kombu write it.
//!
//! It is parsed as kombu does it, which is Python's `urlparse` for HTTP URLs, so that one
//! URL means the same database to both:
//! <https://github.com/celery/kombu/blob/main/kombu/utils/url.py>.

use std::fmt;
use std::path::PathBuf;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::model::{Blame, Blamed};

/// Where a broker is, and the login for it. Its `Display` masks passwords.
#[derive(Clone, PartialEq, Eq)]
pub struct BrokerUrl {
    pub(super) address: Address,
    pub(super) login: Login,
    pub(super) tls: Option<Tls>,
    pub(super) db: u32,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) enum Address {
    Tcp(Host),
    Unix(PathBuf),
    Sentinels { sentinels: Vec<Host>, master: Option<String>, login: Login },
}

#[derive(Clone, PartialEq, Eq)]
pub(super) struct Host {
    /// A name or an address; an IPv6 address without its brackets.
    pub name: String,
    pub port: u16,
}

/// It has no `Debug`, so that no derive writes a password into a log.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Login {
    pub user: Option<String>,
    pub password: Option<String>,
}

/// How a TLS peer is checked, in the terms of redis-py's `ssl_…` parameters.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Tls {
    pub check: PeerCheck,
    /// `ssl_ca_certs`, a PEM file; the system's certificates without it.
    pub authorities: Option<PathBuf>,
    /// `ssl_certfile` and `ssl_keyfile`, PEM files.
    pub client: Option<(PathBuf, PathBuf)>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum PeerCheck {
    /// Checks the certificate's chain and its name.
    #[default]
    Full,
    /// `ssl_check_hostname=false`: checks the chain only.
    Chain,
    /// `ssl_cert_reqs=none`: checks nothing.
    Nothing,
}

/// Why a URL is not understood. It repeats no part of the URL that may hold a password.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UrlError {
    #[error("the broker has no scheme; write it as Celery does, such as redis://127.0.0.1:6379/0")]
    NoScheme,
    #[error(
        "tracelink reads Redis brokers only, and `{0}://` is not one of theirs \
         (redis://, rediss://, redis+socket://, unix://, sentinel://)"
    )]
    NotRedis(String),
    #[error(
        "the broker's host or port is not understood; \
         write `/`, `?`, `#`, `@` and `:` in a password as %2F, %3F, %23, %40 and %3A"
    )]
    Authority,
    #[error("the broker's database is a number, as in redis://127.0.0.1:6379/0")]
    Database,
    #[error(
        "the broker's socket is an absolute path, as in redis+socket:///run/redis/redis.sock?virtual_host=0"
    )]
    Socket,
    #[error("`{0}` of the broker's URL has a value that Celery does not know")]
    Parameter(&'static str),
    #[error("ssl_certfile and ssl_keyfile of the broker's URL go together")]
    HalfOfAPair,
    #[error("several brokers are given; name the one to look at")]
    Several,
}

impl Blamed for UrlError {
    fn blame(&self) -> Blame {
        Blame::Usage
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Redis,
    Rediss,
    Socket,
    Sentinel,
}

const REDIS_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

impl BrokerUrl {
    /// Reads a URL as Celery takes it for `broker_url`.
    ///
    /// `redis://[[user]:password@][host][:port][/db]`, `rediss://…` with the
    /// parameters `ssl_cert_reqs`, `ssl_check_hostname`, `ssl_ca_certs`,
    /// `ssl_certfile` and `ssl_keyfile`, `redis+socket:///path?virtual_host=db`
    /// or `unix:///path?db=db`, and `sentinel://host[:port][/db]`, of which
    /// there may be several with `;` between them. As in kombu, the first of several
    /// gives the login and the database, and an `ssl_…` parameter means TLS with every
    /// scheme. Other parameters are left to the application.
    ///
    /// # Errors
    ///
    /// [`UrlError`], which never repeats a password.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let mut urls = text.split(';').map(str::trim).filter(|url| !url.is_empty());
        let first = Parts::split(urls.next().ok_or(UrlError::NoScheme)?)?;
        let rest = urls.map(Parts::split).collect::<Result<Vec<_>, _>>()?;

        let address = match first.scheme {
            Scheme::Sentinel if rest.iter().all(|parts| parts.scheme == Scheme::Sentinel) => {
                let sentinels = std::iter::once(&first)
                    .chain(&rest)
                    .map(|parts| parts.host(SENTINEL_PORT))
                    .collect::<Result<_, _>>()?;
                let master = first.parameter(&["master_name"]);
                Address::Sentinels { sentinels, master, login: Login::default() }
            }
            _ if !rest.is_empty() => return Err(UrlError::Several),
            Scheme::Socket => first.socket()?,
            _ => Address::Tcp(first.host(REDIS_PORT)?),
        };
        Ok(Self { address, login: first.login(), tls: first.tls()?, db: first.database()? })
    }

    /// The name by which Sentinel knows the master, where the URL goes to Sentinel.
    #[must_use]
    pub fn with_sentinel_master(mut self, name: &str) -> Self {
        if let Address::Sentinels { master, .. } = &mut self.address {
            *master = Some(name.to_owned());
        }
        self
    }

    /// The login for Sentinel itself (`sentinel_kwargs` in Celery's
    /// `broker_transport_options`). The URL's own login is for the master.
    #[must_use]
    pub fn with_sentinel_password(mut self, password: &str) -> Self {
        if let Address::Sentinels { login, .. } = &mut self.address {
            login.password = Some(password.to_owned());
        }
        self
    }

    /// The number of the database.
    pub const fn database(&self) -> u32 {
        self.db
    }

    /// Another database of the same server.
    #[must_use]
    pub(super) fn with_database(&self, db: u32) -> Self {
        Self { db, ..self.clone() }
    }

    /// `host:port/db`: the broker's name in a report.
    pub fn name(&self) -> String {
        let db = self.db;
        match &self.address {
            Address::Tcp(host) => format!("{host}/{db}"),
            Address::Unix(path) => format!("{}/{db}", path.display().to_string().escape_debug()),
            Address::Sentinels { sentinels, master, .. } => {
                let sentinels: Vec<_> = sentinels.iter().map(Host::to_string).collect();
                let master = master.as_deref().unwrap_or("?").escape_debug();
                format!("{master}@{}/{db}", sentinels.join(","))
            }
        }
    }
}

/// The parts that a URL has with every scheme.
struct Parts<'u> {
    scheme: Scheme,
    user_info: &'u str,
    host_port: &'u str,
    /// Without its leading slash.
    path: &'u str,
    query: &'u str,
}

impl<'u> Parts<'u> {
    fn split(url: &'u str) -> Result<Self, UrlError> {
        let (scheme, rest) = url.split_once("://").ok_or(UrlError::NoScheme)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "redis" => Scheme::Redis,
            "rediss" => Scheme::Rediss,
            "redis+socket" | "unix" => Scheme::Socket,
            "sentinel" => Scheme::Sentinel,
            other if other.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+') => {
                return Err(UrlError::NotRedis(other.chars().take(32).collect()));
            }
            _ => return Err(UrlError::NoScheme),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user_info, host_port) = authority.rsplit_once('@').unwrap_or(("", authority));
        Ok(Self { scheme, user_info, host_port, path, query })
    }

    fn host(&self, default_port: u16) -> Result<Host, UrlError> {
        let (name, port) = match self.host_port.strip_prefix('[') {
            Some(bracketed) => {
                let (name, rest) = bracketed.split_once(']').ok_or(UrlError::Authority)?;
                let port = rest.strip_prefix(':');
                if port.is_none() && !rest.is_empty() {
                    return Err(UrlError::Authority);
                }
                (name, port)
            }
            None => match self.host_port.split_once(':') {
                Some((name, port)) => (name, Some(port)),
                None => (self.host_port, None),
            },
        };
        let port = match port.filter(|port| !port.is_empty()) {
            Some(port) => port.parse().map_err(|_| UrlError::Authority)?,
            None => default_port,
        };
        let name = decode(name);
        // A name is shown as it is, so nothing in it may move the cursor.
        if !name.chars().all(|letter| letter.is_alphanumeric() || "-._:%".contains(letter)) {
            return Err(UrlError::Authority);
        }
        Ok(Host { name: if name.is_empty() { "127.0.0.1".to_owned() } else { name }, port })
    }

    fn socket(&self) -> Result<Address, UrlError> {
        if self.path.is_empty() || !self.host_port.is_empty() {
            return Err(UrlError::Socket);
        }
        Ok(Address::Unix(PathBuf::from(format!("/{}", decode(self.path)))))
    }

    fn login(&self) -> Login {
        let (user, password) = self.user_info.split_once(':').unwrap_or((self.user_info, ""));
        let known = |text: &str| Some(decode(text)).filter(|text| !text.is_empty());
        Login { user: known(user), password: known(password) }
    }

    fn database(&self) -> Result<u32, UrlError> {
        let parameter = self.parameter(&["virtual_host", "db"]);
        let path = if self.scheme == Scheme::Socket { "" } else { self.path };
        let number = parameter.unwrap_or_else(|| decode(path));
        match number.trim_matches('/') {
            "" => Ok(0),
            number => number.parse().map_err(|_| UrlError::Database),
        }
    }

    fn tls(&self) -> Result<Option<Tls>, UrlError> {
        let is_tls =
            self.scheme == Scheme::Rediss || self.parameters().any(|(name, _)| name.starts_with("ssl_"));
        if !is_tls {
            return Ok(None);
        }
        let check_name = match self.parameter(&["ssl_check_hostname"]).as_deref() {
            None => true,
            Some(flag) => !flag.eq_ignore_ascii_case("false"),
        };
        let check = match self.parameter(&["ssl_cert_reqs"]).as_deref() {
            Some("none" | "CERT_NONE") => PeerCheck::Nothing,
            // To a client, Python's "optional" is "required":
            // <https://docs.python.org/3/library/ssl.html#ssl.CERT_OPTIONAL>.
            None | Some("required" | "CERT_REQUIRED" | "optional" | "CERT_OPTIONAL") => {
                if check_name {
                    PeerCheck::Full
                } else {
                    PeerCheck::Chain
                }
            }
            Some(_) => return Err(UrlError::Parameter("ssl_cert_reqs")),
        };
        let path = |name| self.parameter(&[name]).map(PathBuf::from);
        let client = match (path("ssl_certfile"), path("ssl_keyfile")) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err(UrlError::HalfOfAPair),
        };
        Ok(Some(Tls { check, authorities: path("ssl_ca_certs"), client }))
    }

    fn parameters(&self) -> impl Iterator<Item = (&'u str, &'u str)> {
        self.query.split('&').filter_map(|pair| pair.split_once('='))
    }

    /// The value of the first of `names` that is present.
    fn parameter(&self, names: &[&str]) -> Option<String> {
        let (_, value) = self.parameters().find(|(name, _)| names.contains(name))?;
        Some(decode(&value.replace('+', " "))).filter(|value| !value.is_empty())
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Characters that a user name has without percent-encoding.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, port } = self;
        if name.contains(':') { write!(f, "[{name}]:{port}") } else { write!(f, "{name}:{port}") }
    }
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.user, &self.password) {
            (None, None) => Ok(()),
            // A user name without a password logs nobody in. It may be a password whose
            // colon is missing.
            (Some(_), None) => f.write_str("***@"),
            (None, Some(_)) => f.write_str(":***@"),
            (Some(user), Some(_)) => write!(f, "{}:***@", utf8_percent_encode(user, PLAIN)),
        }
    }
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, login, tls, db } = self;
        match address {
            Address::Tcp(host) => {
                let scheme = if tls.is_some() { "rediss" } else { "redis" };
                write!(f, "{scheme}://{login}{host}/{db}")
            }
            Address::Unix(path) => {
                let path = path.display().to_string();
                write!(f, "redis+socket://{login}{}?virtual_host={db}", path.escape_debug())
            }
            Address::Sentinels { sentinels, .. } => {
                let mut parting = "";
                for (index, host) in sentinels.iter().enumerate() {
                    write!(f, "{parting}sentinel://")?;
                    if index == 0 {
                        write!(f, "{login}{host}/{db}")?;
                    } else {
                        write!(f, "{host}")?;
                    }
                    parting = ";";
                }
                Ok(())
            }
        }
    }
}

impl fmt::Debug for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;

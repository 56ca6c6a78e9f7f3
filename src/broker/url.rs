//! A broker's URL, as Celery writes it.

use std::fmt;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo};

/// Where a broker is, and how to get in. Shown without its password.
#[derive(Clone)]
pub struct BrokerUrl {
    pub target: Target,
    pub db: i64,
    username: Option<String>,
    password: Option<String>,
}

/// What to connect to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    Tcp {
        host: String,
        port: u16,
    },
    Tls {
        host: String,
        port: u16,
        insecure: bool,
    },
    Unix(PathBuf),
    /// The master of that name, by any of these sentinels.
    Sentinel {
        nodes: Vec<(String, u16)>,
        master: String,
    },
}

/// Why a URL names no broker that tracelink can read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UrlError {
    #[error("`{0}` is no broker URL; write it as Celery does: redis://[[user]:password@]host[:port][/db]")]
    Unreadable(String),
    #[error("tracelink reads Redis brokers only, not `{0}://`")]
    NotRedis(String),
    #[error("`{0}` is no database number")]
    Database(String),
    #[error("a sentinel:// broker needs the name of its master: --sentinel-master NAME")]
    NoMaster,
}

const REDIS_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

impl BrokerUrl {
    /// Reads a URL: `redis://`, `rediss://`, `redis+socket://`, `unix://`, or
    /// `sentinel://a;sentinel://b` with the name of a master.
    ///
    /// # Errors
    ///
    /// [`UrlError`], which never repeats a password.
    pub fn parse(text: &str, sentinel_master: Option<&str>) -> Result<Self, UrlError> {
        let mut parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
        let first = parts.next().ok_or_else(|| UrlError::Unreadable(String::new()))?;
        let mut broker = Self::parse_one(first)?;
        if let Target::Sentinel { nodes, master } = &mut broker.target {
            for part in parts {
                if let Target::Sentinel { nodes: more, .. } = Self::parse_one(part)?.target {
                    nodes.extend(more);
                }
            }
            sentinel_master.ok_or(UrlError::NoMaster)?.clone_into(master);
        }
        Ok(broker)
    }

    fn parse_one(text: &str) -> Result<Self, UrlError> {
        let unreadable = || UrlError::Unreadable(without_secrets(text));
        let url = url::Url::parse(text).map_err(|_| unreadable())?;
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let query = |wanted: &str| {
            url.query_pairs().find(|(key, _)| key == wanted).map(|(_, value)| value.into_owned())
        };
        let host = || match url.host_str() {
            Some(host) if !host.is_empty() => host.trim_matches(['[', ']']).to_owned(),
            _ => "127.0.0.1".to_owned(),
        };
        let mut db = url.path().trim_matches('/').to_owned();
        let target = match url.scheme() {
            "redis" => Target::Tcp { host: host(), port: url.port().unwrap_or(REDIS_PORT) },
            "rediss" => {
                let checks = query("ssl_cert_reqs").unwrap_or_default().to_ascii_lowercase();
                let insecure = matches!(checks.trim_start_matches("cert_"), "none" | "optional");
                Target::Tls { host: host(), port: url.port().unwrap_or(REDIS_PORT), insecure }
            }
            "redis+socket" | "unix" => {
                db = query("virtual_host").or_else(|| query("db")).unwrap_or_default();
                Target::Unix(PathBuf::from(decode(url.path())))
            }
            "sentinel" => Target::Sentinel {
                nodes: vec![(host(), url.port().unwrap_or(SENTINEL_PORT))],
                master: String::new(),
            },
            other => return Err(UrlError::NotRedis(other.to_owned())),
        };
        let db = match db.as_str() {
            "" => 0,
            number => number.parse().map_err(|_| UrlError::Database(number.to_owned()))?,
        };
        Ok(Self {
            target,
            db,
            username: Some(decode(url.username())).filter(|name| !name.is_empty()),
            password: url.password().map(decode),
        })
    }

    /// `host:port/db`, as a snapshot names its broker.
    pub fn name(&self) -> String {
        match &self.target {
            Target::Tcp { host, port } | Target::Tls { host, port, .. } => {
                format!("{host}:{port}/{}", self.db)
            }
            Target::Unix(path) => format!("{}/{}", path.display(), self.db),
            Target::Sentinel { master, .. } => format!("{master}/{}", self.db),
        }
    }

    /// Who logs in to which database.
    pub(super) fn login(&self) -> RedisConnectionInfo {
        // The library's own name is not announced: that would be one more
        // command, which a user that may only read is refused.
        let mut login = RedisConnectionInfo::default().set_db(self.db).set_skip_set_lib_name();
        if let Some(username) = &self.username {
            login = login.set_username(username);
        }
        if let Some(password) = &self.password {
            login = login.set_password(password);
        }
        login
    }

    /// The address to connect to, where it needs no sentinel.
    pub(super) fn address(&self) -> Option<redis::RedisResult<ConnectionInfo>> {
        let address = match &self.target {
            Target::Tcp { host, port } => ConnectionAddr::Tcp(host.clone(), *port),
            Target::Tls { host, port, insecure } => ConnectionAddr::TcpTls {
                host: host.clone(),
                port: *port,
                insecure: *insecure,
                tls_params: None,
            },
            Target::Unix(path) => ConnectionAddr::Unix(path.clone()),
            Target::Sentinel { .. } => return None,
        };
        Some(address.into_connection_info().map(|info| info.set_redis_settings(self.login())))
    }
}

/// A URL of which only the scheme is repeated: what follows may be a secret.
fn without_secrets(text: &str) -> String {
    match text.split_once("://") {
        Some((scheme, _)) => format!("{}://…", scheme.chars().take(16).collect::<String>()),
        None => "…".to_owned(),
    }
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = match (&self.username, &self.password) {
            (Some(user), Some(_)) => format!("{user}:***@"),
            (None, Some(_)) => ":***@".to_owned(),
            (Some(user), None) => format!("{user}@"),
            (None, None) => String::new(),
        };
        match &self.target {
            Target::Tcp { host, port } => write!(f, "redis://{who}{host}:{port}/{}", self.db),
            Target::Tls { host, port, .. } => write!(f, "rediss://{who}{host}:{port}/{}", self.db),
            Target::Unix(path) => {
                write!(f, "redis+socket://{who}{}?virtual_host={}", path.display(), self.db)
            }
            Target::Sentinel { nodes, master } => {
                let nodes: Vec<_> = nodes
                    .iter()
                    .map(|(host, port)| format!("sentinel://{who}{host}:{port}/{}", self.db))
                    .collect();
                write!(f, "{} ({master})", nodes.join(";"))
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
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_as_celery_writes_them_and_shown_without_their_password() {
        let cases = [
            ("redis://", "redis://127.0.0.1:6379/0"),
            ("redis://localhost/3", "redis://localhost:3/3".replace(":3/", ":6379/").leak() as &str),
            ("redis://:p%40ss@10.0.0.1:7000/1", "redis://:***@10.0.0.1:7000/1"),
            ("rediss://bob:secret@host:6380", "rediss://bob:***@host:6380/0"),
            (
                "redis+socket:///run/redis.sock?virtual_host=2",
                "redis+socket:///run/redis.sock?virtual_host=2",
            ),
            ("redis://[::1]:6379/0", "redis://::1:6379/0"),
        ];
        for (text, shown) in cases {
            let url = BrokerUrl::parse(text, None).expect(text);
            assert_eq!(url.to_string(), shown);
            assert!(!format!("{url:?}").contains("secret"));
        }
        let url = BrokerUrl::parse("redis://:p%40ss@10.0.0.1:7000/1", None).expect("valid");
        assert_eq!(url.password.as_deref(), Some("p@ss"));
    }

    #[test]
    fn sentinels_need_the_name_of_their_master() {
        let text = "sentinel://a:26379;sentinel://b:26380/1";
        assert_eq!(BrokerUrl::parse(text, None).expect_err("no master"), UrlError::NoMaster);
        let url = BrokerUrl::parse(text, Some("mymaster")).expect("valid");
        assert_eq!(
            url.target,
            Target::Sentinel {
                nodes: vec![("a".into(), 26379), ("b".into(), 26380)],
                master: "mymaster".into()
            }
        );
    }

    #[test]
    fn errors_say_what_to_write_and_repeat_no_secret() {
        let error = |text| BrokerUrl::parse(text, None).expect_err(text).to_string();
        assert!(error("amqp://guest:secret@host//").contains("Redis brokers only"));
        assert!(!error("redis://user:secret@:x:y").contains("secret"));
        assert!(error("redis://host/celery").contains("no database number"));
        assert!(error("").contains("as Celery does"));
    }
}

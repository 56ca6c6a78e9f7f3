//! What can be wrong with a broker, each with the remedy.

use redis::{ErrorKind, RedisError};

/// Why a broker could not be read. `broker` is its URL, masked.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    #[error(
        "{broker} does not answer: {why}\n  is Redis running there? redis-cli -u {broker} ping; or name the broker: --broker URL"
    )]
    Unreachable { broker: String, why: String },
    #[error(
        "{broker} answers too slowly: {why}\n  it may be busy with a slow command: redis-cli slowlog get"
    )]
    Timeout { broker: String, why: String },
    #[error(
        "{broker} refuses the login: {why}\n  give user and password in the URL: redis://user:password@host:6379/0"
    )]
    Login { broker: String, why: String },
    #[error(
        "{broker} does not allow {command}: {why}\n  tracelink only reads: ACL SETUSER <user> on ~* +@read +@connection +time"
    )]
    NoPermission { broker: String, command: &'static str, why: String },
    #[error(
        "{broker} does not speak TLS as asked: {why}\n  redis:// is without TLS, rediss:// with; ?ssl_cert_reqs=none accepts any certificate"
    )]
    Tls { broker: String, why: String },
    #[error("{broker} has no database of that number: {why}")]
    NoDatabase { broker: String, why: String },
    #[error("{broker} is still loading its data: {why}\n  try again in a moment")]
    Loading { broker: String, why: String },
    #[error(
        "{broker} is a node of a cluster: {why}\n  Celery does not run on a cluster; name the node that it uses"
    )]
    Cluster { broker: String, why: String },
    #[error(
        "no sentinel knows the master of {broker}: {why}\n  redis-cli -p 26379 sentinel masters lists their names"
    )]
    NoMaster { broker: String, why: String },
    #[error("what listens at {broker} is no Redis: {why}\n  check host and port")]
    NotRedis { broker: String, why: String },
    #[error(
        "`{key}` at {broker} is not of the type that kombu makes it: {why}\n  another program uses this name: is it the right database?"
    )]
    WrongType { broker: String, key: String, why: String },
    #[error("{broker}: {command} failed: {why}")]
    Other { broker: String, command: &'static str, why: String },
}

impl BrokerError {
    /// What an error of the driver means. `command` is what was asked.
    pub(super) fn of(error: &RedisError, broker: String, command: &'static str) -> Self {
        let why = error.to_string();
        let text = why.to_ascii_lowercase();
        match (error.code(), error.kind()) {
            (Some("NOAUTH" | "WRONGPASS"), _) | (_, ErrorKind::AuthenticationFailed) => {
                Self::Login { broker, why }
            }
            (Some("NOPERM"), _) => Self::NoPermission { broker, command, why },
            (Some("LOADING" | "BUSY" | "MASTERDOWN"), _) => Self::Loading { broker, why },
            (Some("MOVED" | "ASK" | "CLUSTERDOWN" | "CROSSSLOT"), _) => Self::Cluster { broker, why },
            (Some("WRONGTYPE"), _) => Self::WrongType { broker, key: command.to_owned(), why },
            (_, ErrorKind::MasterNameNotFoundBySentinel | ErrorKind::EmptySentinelList) => {
                Self::NoMaster { broker, why }
            }
            _ if text.contains("db index") => Self::NoDatabase { broker, why },
            _ if text.contains("password") || text.contains("without any password") => {
                Self::Login { broker, why }
            }
            _ if is_tls(&text) => Self::Tls { broker, why },
            _ if error.is_timeout() => Self::Timeout { broker, why },
            (_, ErrorKind::Parse) => Self::NotRedis { broker, why },
            _ if error.is_io_error() => Self::Unreachable { broker, why },
            _ => Self::Other { broker, command, why },
        }
    }
}

fn is_tls(text: &str) -> bool {
    ["tls", "certificate", "handshake", "invalidcontenttype", "corrupt message", "peer incompatible"]
        .iter()
        .any(|word| text.contains(word))
}

//! A connection that can only read.

use std::time::Duration;

use redis::sentinel::{Sentinel, SentinelNodeConnectionInfo};
use redis::{Cmd, Connection, FromRedisValue};

use super::error::BrokerError;
use super::url::{BrokerUrl, Target};
use crate::model::Timestamp;

/// How long to wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How long to wait for an answer. A page has about a megabyte.
const ANSWER: Duration = Duration::from_secs(30);

/// Every command that tracelink can send. All of them only read.
///
/// Before them the driver sends `AUTH` (or `HELLO`) and `SELECT`, where the URL
/// asks for it, and to a sentinel `SENTINEL MASTERS`.
#[derive(Clone, Copy, Debug)]
pub enum Read<'a> {
    Time,
    /// Keys of one type, some at a time.
    Scan {
        cursor: u64,
        kind: &'a str,
    },
    Type(&'a [u8]),
    ListLength(&'a [u8]),
    /// Entries of a list; negative indexes count from its end.
    ListRange {
        key: &'a [u8],
        from: i64,
        to: i64,
    },
    SetMembers(&'a [u8]),
    HashLength(&'a [u8]),
    /// Fields of a hash, some at a time.
    HashScan {
        key: &'a [u8],
        cursor: u64,
    },
    /// Values of several strings.
    Values(&'a [Vec<u8>]),
}

impl Read<'_> {
    /// How many keys or fields a scan asks for at a time.
    const COUNT: usize = 1_000;

    /// The command's name, as errors give it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Time => "TIME",
            Self::Scan { .. } => "SCAN",
            Self::Type(_) => "TYPE",
            Self::ListLength(_) => "LLEN",
            Self::ListRange { .. } => "LRANGE",
            Self::SetMembers(_) => "SMEMBERS",
            Self::HashLength(_) => "HLEN",
            Self::HashScan { .. } => "HSCAN",
            Self::Values(_) => "MGET",
        }
    }

    fn command(&self) -> Cmd {
        let mut command = redis::cmd(self.name());
        match *self {
            Self::Time => {}
            Self::Scan { cursor, kind } => {
                command.arg(cursor).arg("COUNT").arg(Self::COUNT).arg("TYPE").arg(kind);
            }
            Self::Type(key) | Self::ListLength(key) | Self::SetMembers(key) | Self::HashLength(key) => {
                command.arg(key);
            }
            Self::ListRange { key, from, to } => {
                command.arg(key).arg(from).arg(to);
            }
            Self::HashScan { key, cursor } => {
                command.arg(key).arg(cursor).arg("COUNT").arg(Self::COUNT);
            }
            Self::Values(keys) => {
                for key in keys {
                    command.arg(key.as_slice());
                }
            }
        }
        command
    }
}

/// A connection to one broker.
pub struct Client {
    connection: Connection,
    /// The URL, masked.
    broker: String,
}

impl Client {
    /// Connects, logs in and selects the database.
    ///
    /// # Errors
    ///
    /// [`BrokerError`], which says what to do.
    pub fn connect(url: &BrokerUrl) -> Result<Self, BrokerError> {
        let broker = url.to_string();
        let is_tls = matches!(url.target, Target::Tls { .. });
        let failed = |error: redis::RedisError| {
            // A Redis without TLS takes the handshake for a command that does
            // not end, and waits.
            let never_shook_hands = is_tls && (error.is_timeout() || error.is_connection_dropped());
            if never_shook_hands {
                return BrokerError::Tls { broker: broker.clone(), why: error.to_string() };
            }
            BrokerError::of(&error, broker.clone(), "CONNECT")
        };
        if is_tls {
            // The driver leaves the choice of a crypto provider to the program.
            // Where one is installed already, that one serves.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let client = match (url.address(), &url.target) {
            (Some(address), _) => redis::Client::open(address.map_err(failed)?).map_err(failed)?,
            (None, Target::Sentinel { nodes, master }) => {
                let nodes: Vec<_> =
                    nodes.iter().map(|(host, port)| format!("redis://{host}:{port}/")).collect();
                let login = SentinelNodeConnectionInfo::default().set_redis_connection_info(url.login());
                Sentinel::build(nodes)
                    .and_then(|mut sentinel| sentinel.master_for(master, Some(&login)))
                    .map_err(failed)?
            }
            (None, _) => unreachable!("only a sentinel has no address"),
        };
        let connection = client.get_connection_with_timeout(CONNECT).map_err(failed)?;
        connection.set_read_timeout(Some(ANSWER)).map_err(failed)?;
        connection.set_write_timeout(Some(ANSWER)).map_err(failed)?;
        Ok(Self { connection, broker })
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    ///
    /// [`BrokerError`], which names the command.
    pub fn ask<T: FromRedisValue>(&mut self, read: Read<'_>) -> Result<T, BrokerError> {
        read.command()
            .query(&mut self.connection)
            .map_err(|error| BrokerError::of(&error, self.broker.clone(), read.name()))
    }

    /// The broker's clock.
    ///
    /// # Errors
    ///
    /// [`BrokerError`].
    pub fn time(&mut self) -> Result<Timestamp, BrokerError> {
        let (seconds, micros): (u64, u64) = self.ask(Read::Time)?;
        let nanos = seconds.saturating_mul(1_000_000_000).saturating_add(micros.saturating_mul(1_000));
        Ok(Timestamp::from_nanos(nanos))
    }

    /// The URL, masked.
    pub fn broker(&self) -> &str {
        &self.broker
    }
}

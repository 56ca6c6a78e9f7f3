//! Reads the commands that clients send to a Redis, as `MONITOR` repeats them.
//!
//! A worker that takes a message as soon as it comes leaves nothing to look at. With
//! `MONITOR` the server repeats every command to the client that asked for it, so
//! tracelink sees each message that is pushed and each result that is written.
//!
//! It has a cost: the server formats and sends every command of every client once more,
//! which can halve its throughput
//! (<https://redis.io/docs/latest/commands/monitor/#cost-of-running-monitor>). What is
//! not read in time, the server keeps in its memory. So it belongs on a development
//! machine. A user needs a permission of its own for it (`+monitor`), because it reads no
//! key. A [`Connection`] cannot send it: this is a separate type.
//!
//! The server repeats everything, the secrets of other programs included. Commands that
//! are not Celery's are dropped before their arguments are read. Redis itself leaves out
//! `AUTH` and its like.
//!
//! [`Connection`]: super::Connection

pub(super) mod line;

use std::borrow::Cow;
use std::time::{Duration, Instant};

use self::line::Command;
use super::connection::{MonitorConnection, MonitorLine};
use super::error::BrokerError;
use super::url::BrokerUrl;
use crate::model::Timestamp;
use crate::wire::celery::Envelope;
use crate::wire::celery::redis_layout::keys::{self, Key};
use crate::wire::snapshot::{KeyContent, KeyLine};

/// What a client wrote to one of Celery's keys.
#[derive(Clone, PartialEq, Debug)]
pub struct MonitoredKey {
    /// When the server ran the command, by its clock.
    pub at: Timestamp,
    /// As a look would read it: a message in its list, a message that a worker holds, or
    /// a result. It is only a part of its key, so it is never complete.
    pub line: KeyLine<'static>,
}

/// A second connection to the broker, which listens to all others.
pub struct Monitor {
    connection: MonitorConnection,
    db: u32,
    results_db: u32,
    /// Lines that were too long to keep: one may have held a message.
    pub too_long: u64,
    /// Lines that do not look like those of `MONITOR`.
    pub unreadable: u64,
}

impl Monitor {
    /// The most lines that one [`Monitor::read`] handles, so that it returns from a busy
    /// server.
    const AT_ONCE: usize = 1000;

    /// Connects and begins to listen. `result_backend` says which database has the
    /// results, if that is not the broker's.
    ///
    /// # Errors
    ///
    /// [`BrokerError`]: [`BrokerError::MonitorForbidden`] where the user lacks
    /// `+monitor`, and [`BrokerError::MonitorOverTls`], because TLS is not supported
    /// here.
    pub fn open(url: &BrokerUrl, result_backend: Option<&BrokerUrl>) -> Result<Self, BrokerError> {
        let connection = MonitorConnection::open(url).map_err(|error| match error {
            BrokerError::NoPermission { broker, command: "MONITOR", .. } => {
                BrokerError::MonitorForbidden { broker }
            }
            error => error,
        })?;
        let db = url.database();
        let results_db = result_backend.map_or(db, BrokerUrl::database);
        Ok(Self { connection, db, results_db, too_long: 0, unreadable: 0 })
    }

    /// The broker's URL, its password masked.
    pub fn shown(&self) -> &str {
        self.connection.shown()
    }

    /// What clients wrote to Celery's keys since the last call, in the server's order.
    /// The list is empty if they wrote nothing for as long as `timeout`. Call it again at
    /// once: the server keeps in memory whatever is not read.
    ///
    /// # Errors
    ///
    /// [`BrokerError`], where the connection is lost. Open another then; what clients
    /// wrote meanwhile was missed.
    #[expect(clippy::disallowed_methods, reason = "how long to wait is no evidence")]
    pub fn read(&mut self, timeout: Duration) -> Result<Vec<MonitoredKey>, BrokerError> {
        let end = Instant::now() + timeout;
        let mut heard = Vec::new();
        while heard.len() < Self::AT_ONCE {
            // Return what there is as soon as nothing more has come.
            let wait =
                if heard.is_empty() { end.saturating_duration_since(Instant::now()) } else { Duration::ZERO };
            match self.connection.next(wait)? {
                MonitorLine::Whole(line) => {
                    let Some(command) = Command::parse(line) else {
                        self.unreadable += 1;
                        continue;
                    };
                    keep_celerys(&command, self.db, self.results_db, &mut heard);
                }
                MonitorLine::TooLong => self.too_long += 1,
                MonitorLine::Silence => break,
            }
            if Instant::now() >= end {
                break;
            }
        }
        Ok(heard)
    }
}

/// Adds the parts of a command that are Celery's.
fn keep_celerys(command: &Command<'_>, db: u32, results_db: u32, heard: &mut Vec<MonitoredKey>) {
    let mut tell = |key: Vec<u8>, content: KeyContent<'static>| {
        let db = i64::from(command.db);
        let line =
            KeyLine { db, key: Cow::Owned(key), pttl: -1, content, len: None, from: 0, complete: false };
        heard.push(MonitoredKey { at: command.at, line });
    };
    let is_broker = command.db == db;
    match command.name().to_ascii_uppercase().as_slice() {
        b"LPUSH" | b"RPUSH" if is_broker => {
            let mut arguments = command.arguments();
            let Some(key) = arguments.next().filter(|key| is_of(key, |key| *key == Key::Other)) else {
                return;
            };
            // Another program's list is not worth decoding.
            let messages: Vec<_> = arguments
                .filter(|entry| Envelope::decode(entry).is_ok())
                .map(|entry| Cow::Owned(entry.into_owned()))
                .collect();
            if !messages.is_empty() {
                tell(key.into_owned(), KeyContent::List(messages));
            }
        }
        b"HSET" | b"HMSET" if is_broker => {
            let mut arguments = command.arguments();
            let Some(key) = arguments.next().filter(|key| is_of(key, |key| *key == Key::Unacked)) else {
                return;
            };
            let mut pairs = Vec::new();
            while let (Some(tag), Some(value)) = (arguments.next(), arguments.next()) {
                pairs.push((Cow::Owned(tag.into_owned()), Cow::Owned(value.into_owned())));
            }
            if !pairs.is_empty() {
                tell(key.into_owned(), KeyContent::Hash(pairs));
            }
        }
        name @ (b"SET" | b"SETEX" | b"PSETEX" | b"SETNX") if command.db == results_db => {
            let mut arguments = command.arguments();
            let is_result = |key: &Key<'_>| matches!(key, Key::Result { .. });
            let Some(key) = arguments.next().filter(|key| is_of(key, is_result)) else { return };
            let value = if name.ends_with(b"SETEX") { arguments.nth(1) } else { arguments.next() };
            if let Some(value) = value {
                tell(key.into_owned(), KeyContent::String(Cow::Owned(value.into_owned())));
            }
        }
        _ => {}
    }
}

fn is_of(key: &[u8], is_wanted: impl FnOnce(&Key<'_>) -> bool) -> bool {
    std::str::from_utf8(key).is_ok_and(|key| is_wanted(&keys::classify(key)))
}

impl std::fmt::Debug for Monitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Monitor").field("broker", &self.connection.shown()).finish_non_exhaustive()
    }
}

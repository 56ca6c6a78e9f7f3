//! A connection that is opened again after it was lost.

#![allow(clippy::disallowed_methods, reason = "how long to wait before trying again is no evidence")]

use std::time::{Duration, Instant};

use crate::broker::redis::connection::{Connection, SteadyClock};
use crate::broker::redis::error::BrokerError;
use crate::broker::redis::url::BrokerUrl;

/// The wait after the first failure, and the longest wait.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The way to one server.
pub struct Reconnecting {
    url: BrokerUrl,
    shown: String,
    connection: Option<Connection>,
    clock: SteadyClock,
    /// The last failure, unless something has succeeded since.
    failure: Option<Failure>,
}

struct Failure {
    wait: Duration,
    next_try: Instant,
}

impl Reconnecting {
    /// To a server that has not been asked anything yet.
    pub fn to(url: &BrokerUrl) -> Self {
        Self {
            url: url.clone(),
            shown: url.to_string(),
            connection: None,
            clock: SteadyClock::default(),
            failure: None,
        }
    }

    pub fn made(url: &BrokerUrl, connection: Connection) -> Self {
        Self { connection: Some(connection), ..Self::to(url) }
    }

    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Whether the last attempt failed.
    pub const fn is_away(&self) -> bool {
        self.failure.is_some()
    }

    /// The connection, opened if need be; `None` where it is too early to try again, or
    /// where the attempt failed as the one before did.
    pub fn connection(&mut self) -> Result<Option<&mut Connection>, BrokerError> {
        if self.connection.is_none() {
            if self.failure.as_ref().is_some_and(|failure| Instant::now() < failure.next_try) {
                return Ok(None);
            }
            match Connection::open(&self.url) {
                Ok(mut connection) => {
                    connection.go_on_with(self.clock);
                    self.connection = Some(connection);
                }
                Err(error) => return self.lost(error).map_or(Ok(None), Err),
            }
        }
        Ok(self.connection.as_mut())
    }

    /// Something succeeded.
    pub fn answered(&mut self) {
        self.failure = None;
    }

    /// Drops the connection. Returns the error if it is the first since something
    /// succeeded.
    pub fn lost(&mut self, error: BrokerError) -> Option<BrokerError> {
        if let Some(connection) = self.connection.take() {
            self.clock = connection.steady_clock();
        }
        let is_first = self.failure.is_none();
        let wait = self.failure.as_ref().map_or(FIRST_WAIT, |failure| (failure.wait * 2).min(LONGEST_WAIT));
        self.failure = Some(Failure { wait, next_try: Instant::now() + wait });
        is_first.then_some(error)
    }
}

impl std::fmt::Debug for Reconnecting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reconnecting").field("broker", &self.shown).finish_non_exhaustive()
    }
}

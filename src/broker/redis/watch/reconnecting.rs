//! A connection that is made again when it was lost.

#![allow(clippy::disallowed_methods, reason = "how long to wait before trying again is no evidence")]

use std::time::{Duration, Instant};

use crate::broker::redis::connection::{Connection, SteadyClock};
use crate::broker::redis::error::BrokerError;
use crate::broker::redis::url::BrokerUrl;

/// How long is waited after the first failure, and at most.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The way to one server.
pub struct Reconnecting {
    url: BrokerUrl,
    shown: String,
    connection: Option<Connection>,
    clock: SteadyClock,
    /// What went wrong, for as long as nothing has gone right since.
    failure: Option<Failure>,
}

struct Failure {
    wait: Duration,
    next_try: Instant,
}

impl Reconnecting {
    /// To a server that was not spoken to yet.
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

    /// Whether the last thing that happened is a failure.
    pub const fn is_away(&self) -> bool {
        self.failure.is_some()
    }

    /// The connection, made where it is not there; `None` where it is too early
    /// to try again, or trying failed as it did before.
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

    /// Something went well.
    pub fn answered(&mut self) {
        self.failure = None;
    }

    /// Lets the connection go. Returns the error where it is the first since
    /// something went well.
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

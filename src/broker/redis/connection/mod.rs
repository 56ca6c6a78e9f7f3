//! A connection that can only read.
//!
//! What goes over the wire is private to this module and its children, and is no
//! command but a [`ReadCommand`]. Nothing outside can say anything else. Each
//! answer is bounded in its bytes and in its time.
//! Beside it there is a [`MonitorConnection`], which says `MONITOR` and from then on
//! only listens. The room knows no key and no message.

mod command;
mod dial;
mod monitor;
mod raw;
pub(super) mod reply;
pub(super) mod resp;
mod socket;
mod steady_clock;
mod stream;
mod timeout;
mod tls;

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) use command::{KeyKind, ReadCommand, SCAN_STEP};
pub(super) use monitor::{MonitorConnection, MonitorLine};
use raw::RawConnection;
use reply::Reply;
pub(super) use reply::{FromReply, Pairs, ServerError};
pub(super) use resp::ReplyError;
pub(super) use steady_clock::SteadyClock;

use super::error::BrokerError;
use super::url::BrokerUrl;
use crate::model::Timestamp;

/// An open connection to one database of a Redis server.
///
/// Connecting may take 5 seconds a host, and an answer 30. Resolving a name takes as long
/// as the system allows.
pub struct Connection {
    raw: RawConnection,
    /// The URL with its password masked, for messages.
    shown: String,
    url: BrokerUrl,
    /// Commands sent since [`Self::take_commands_sent`] was last called.
    sent: u64,
    clock: SteadyClock,
    /// Whether an answer has shown that the server is a node of a cluster.
    is_cluster_node: bool,
}

impl Connection {
    /// Connects, logs in, and makes sure that a Redis server answers.
    ///
    /// # Errors
    ///
    /// [`BrokerError`], which names the broker, what is wrong and the remedy.
    pub fn open(url: &BrokerUrl) -> Result<Self, BrokerError> {
        let opened = dial::dial(url).and_then(|raw| {
            let mut connection = Self {
                raw,
                shown: url.to_string(),
                url: url.clone(),
                sent: 0,
                clock: SteadyClock::default(),
                is_cluster_node: false,
            };
            connection.clock()?;
            // After the greeting, a server has as much time as an answer may take.
            connection.raw.set_timeout(timeout::ANSWER);
            Ok(connection)
        });
        opened.map_err(|error| match error {
            BrokerError::Timeout { broker, .. } if url.tls.is_some() => {
                BrokerError::Tls { broker, why: "the server does not return the greeting".to_owned() }
            }
            // A server that ends the connection this early is not Redis.
            BrokerError::Lost { broker, .. }
            | BrokerError::Unreadable { broker, .. }
            | BrokerError::TooMuch { broker, .. } => BrokerError::NotRedis { broker },
            error => error,
        })
    }

    /// The time by Redis's clock, or by this machine's where the user may not send
    /// `TIME`, which is in neither `@read` nor `@connection`. It never runs backwards.
    ///
    /// # Errors
    ///
    /// [`BrokerError`], where the connection is lost.
    #[expect(clippy::disallowed_methods, reason = "who may not ask for TIME still gets a report")]
    pub fn clock(&mut self) -> Result<Timestamp, BrokerError> {
        let nanos = match self.ask::<(u64, u64)>(&ReadCommand::Time) {
            Ok((seconds, micros)) => {
                seconds.saturating_mul(1_000_000_000).saturating_add(micros.saturating_mul(1000))
            }
            Err(BrokerError::NoPermission { .. }) => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)),
            Err(error) => return Err(error),
        };
        Ok(self.clock.read(Timestamp::from_nanos(nanos)))
    }

    /// The state of the clock, for a connection that replaces this one.
    pub(super) const fn steady_clock(&self) -> SteadyClock {
        self.clock
    }

    /// Continues the clock of an earlier connection.
    pub(super) const fn go_on_with(&mut self, clock: SteadyClock) {
        self.clock = clock;
    }

    /// Whether an answer has shown that the server is a node of a Redis Cluster. Then
    /// other nodes may hold keys that it does not.
    pub(super) const fn is_cluster_node(&self) -> bool {
        self.is_cluster_node
    }

    /// Asks for two keys of different slots. A node of a cluster refuses that whether or
    /// not they exist, and no other server does:
    /// <https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#implemented-subset>.
    ///
    /// `INFO` and `CLUSTER` would answer it too, but fewer users may send those.
    pub(super) fn find_out_about_cluster(&mut self) -> Result<(), BrokerError> {
        let keys: [&[u8]; 2] = [b"celery", b"unacked"];
        match self.ask::<Vec<Option<Vec<u8>>>>(&ReadCommand::Strings(&keys)) {
            Ok(_) | Err(BrokerError::CrossSlot { .. } | BrokerError::NoPermission { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The broker's URL, its password masked.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// How many values were skipped since the last call, because they were longer than 64
    /// MiB or their answer had no room for them.
    pub const fn take_passed_over(&mut self) -> u64 {
        self.raw.take_passed_over()
    }

    /// How many commands were sent since the last call.
    pub(super) const fn take_commands_sent(&mut self) -> u64 {
        std::mem::replace(&mut self.sent, 0)
    }

    pub(super) const fn url(&self) -> &BrokerUrl {
        &self.url
    }

    pub(super) fn database(&self) -> i64 {
        i64::from(self.url.database())
    }

    /// Sends one command and reads its answer.
    pub(super) fn ask<T: FromReply>(&mut self, command: &ReadCommand<'_>) -> Result<T, BrokerError> {
        self.send(std::slice::from_ref(command))?;
        self.receive(command)?
    }

    /// Sends commands in one round trip. A refusal stands in the place of its answer, and
    /// the other commands are answered all the same.
    pub(super) fn ask_each<T: FromReply>(
        &mut self,
        commands: &[ReadCommand<'_>],
    ) -> Result<Vec<Result<T, BrokerError>>, BrokerError> {
        self.send(commands)?;
        commands.iter().map(|command| self.receive(command)).collect()
    }

    /// Sends commands. Fetch their answers with [`Self::receive`], one for each, in the
    /// same order.
    pub(super) fn send(&mut self, commands: &[ReadCommand<'_>]) -> Result<(), BrokerError> {
        let mut wire = Vec::new();
        for command in commands {
            command.write(&mut wire);
        }
        self.sent += commands.len() as u64;
        let Some(first) = commands.first().map(ReadCommand::name) else { return Ok(()) };
        self.raw.write(&wire).map_err(|error| BrokerError::no_reply(&self.shown, first, error))
    }

    /// Reads the answer to `command`. The outer error means that the connection is no
    /// longer of use, the inner one that this command was refused.
    pub(super) fn receive<T: FromReply>(
        &mut self,
        command: &ReadCommand<'_>,
    ) -> Result<Result<T, BrokerError>, BrokerError> {
        let reply = self.raw.read();
        let reply = reply.map_err(|error| BrokerError::no_reply(&self.shown, command.name(), error))?;
        Ok(match reply {
            Reply::Error(error) => {
                let (key, expected) = (command.key(), command.expects());
                let refused = BrokerError::refused(&self.shown, command.name(), key, expected, &error);
                self.is_cluster_node |=
                    matches!(refused, BrokerError::OtherNode { .. } | BrokerError::CrossSlot { .. });
                Err(refused)
            }
            reply => T::of(reply).ok_or_else(|| BrokerError::Unreadable {
                broker: self.shown.clone(),
                command: command.name(),
            }),
        })
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("broker", &self.shown).finish_non_exhaustive()
    }
}

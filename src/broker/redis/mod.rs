//! The read-only shell around a live Redis.
//!
//! tracelink never consumes, moves, acknowledges or writes anything in a user's broker.
//! [`discover`] finds out what lies in a database, [`read`] streams it as the lines of a
//! broker snapshot, and [`read_results`] looks up the results of known tasks. All of it
//! goes through a [`Connection`], which can send the commands of [`READ_COMMANDS`] and
//! [`WHERE_ALLOWED`] and no others: its private command type has no variant for any
//! other.
//!
//! A [`BrokerWatch`] looks again and again over such a connection, and the cost of a look
//! does not grow. A [`Monitor`] is a separate type, for callers that want it: it sends
//! `MONITOR` over its own connection, and listens.
//!
//! Nothing here knows what a message means, or what is concluded from it. Nothing here
//! uses the driver `redis` either. That accepts whatever length a server announces, and a
//! user's server is as hostile as anything else outside (`connection/resp.rs`). The demo
//! uses the driver.

mod connection;
mod discovery;
#[cfg(any(fuzzing, test))]
pub(crate) mod door;
mod error;
mod monitor;
mod other_databases;
mod pager;
mod read;
mod read_commands;
mod results;
mod url;
mod watch;

pub use connection::Connection;
pub use discovery::{Discovery, FoundKey, discover};
pub use error::BrokerError;
pub use monitor::{Monitor, MonitoredKey};
pub use read::{ReadPlan, ReadSummary, read};
pub use read_commands::{READ_COMMANDS, WHERE_ALLOWED};
pub use results::read_results;
pub use url::{BrokerUrl, UrlError};
pub use watch::{BrokerWatch, Look, WatchOptions};

//! The read-only shell around a live Redis.
//!
//! tracelink never consumes, moves, acknowledges or writes anything in a user's
//! broker. [`survey`] says what lies in a database, [`read`] streams it as the
//! lines of a broker snapshot, and [`read_results`] looks up the results of
//! known tasks. All of it goes through a [`Connection`], which can say no other
//! command than those of [`READ_COMMANDS`] and [`WHERE_ALLOWED`]: what its private command type does
//! not have cannot be sent, and no other module names the Redis driver.
//!
//! A [`Watch`] looks again and again at a cost that stays, over such a connection.
//! A [`Monitor`] is a type apart, for who asks for it: it says `MONITOR` over a
//! connection of its own, and listens.
//!
//! Nothing here knows what a message means.

mod connection;
mod elsewhere;
mod error;
mod list;
mod monitor;
mod read;
mod read_commands;
mod results;
mod survey;
mod url;
mod watch;

pub use connection::Connection;
pub use error::BrokerError;
pub use monitor::{Monitor, Overheard};
pub use read::{Plan, Summary, read};
pub use read_commands::{READ_COMMANDS, WHERE_ALLOWED};
pub use results::read_results;
pub use survey::{Found, Survey, survey};
pub use url::{BrokerUrl, UrlError};
pub use watch::{Glimpse, Watch, WatchOptions};

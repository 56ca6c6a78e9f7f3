//! The embedded broker: as much of Redis as the native application sends to it,
//! and as tracelink's own reader asks of it.
//!
//! A stage prop, not a database. It listens on the loopback only, keeps its
//! keys in memory and forgets them with its process, holds no more than
//! [`store::CAPACITY`], and knows one database and version 2 of the protocol.
//! It refuses every other command in Redis's words. A real Celery worker is for a
//! real Redis. It knows nothing of messages and tasks.

mod command;
mod resp;
mod server;
mod store;

pub use server::serve;

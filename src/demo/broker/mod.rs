//! The embedded broker: as much of Redis as the native application and tracelink's own
//! reader need.
//!
//! A stage prop, not a database. It only listens on the loopback, keeps its keys in memory
//! and loses them with its process, holds no more than [`store::CAPACITY`], and knows one
//! database and version 2 of the protocol. It refuses every other command with Redis's own
//! error. A real Celery worker needs a real Redis. It knows nothing of messages and tasks.

mod command;
mod resp;
mod server;
mod store;

pub use server::serve;

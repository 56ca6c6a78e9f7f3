//! The embedded broker: enough of Redis for the demo's own processes, for
//! `inspect-queue` and for a client that publishes with kombu.
//!
//! A stage prop, not a database. It listens on the loopback only, keeps its
//! keys in memory and forgets them with its process, holds no more than
//! [`store::CAPACITY`], and knows one database. What it lacks of what a real
//! Celery worker asks for are Lua scripts (`EVALSHA`, with which redis-py gives
//! a lock back); a real worker is for a real Redis. A command that it does not
//! know is refused in Redis's words.

mod command;
mod pattern;
mod resp;
mod server;
mod store;

pub use server::serve;

//! The broker's shell against servers of its own: redis-server has to be installed.

mod cluster;
mod errors;
mod listening;
mod monitor;
mod readonly;
mod resp3;
mod server;
#[path = "../support/mod.rs"]
mod support;
mod valkey;
mod watch;
mod worker;

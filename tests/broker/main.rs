//! The broker's shell against servers of its own: redis-server has to be installed.

mod errors;
mod listening;
mod monitor;
mod readonly;
mod server;
#[path = "../support/mod.rs"]
mod support;
mod watch;
mod worker;

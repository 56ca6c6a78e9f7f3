//! The broker's shell against servers of its own: redis-server has to be installed.

mod errors;
mod readonly;
mod server;

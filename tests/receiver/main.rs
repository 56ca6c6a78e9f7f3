//! The receiver's doors, with clients that are not its own code: raw sockets for
//! HTTP/1, tonic for gRPC.

mod clients;
mod doors;
mod forward;
mod hostile;
mod inbox;
#[path = "../support/mod.rs"]
mod support;

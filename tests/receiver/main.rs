//! The receiver's doors, with clients that are not its own code: raw sockets for
//! HTTP/1, tonic for gRPC.

mod doors;
mod hostile;
mod inbox;

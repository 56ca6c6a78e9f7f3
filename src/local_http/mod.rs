//! A small HTTP server for whoever works on this machine: scripts that steer a session,
//! and the pages that show one. It says whom it answers, how much a request may bring, and
//! how long a client may take; what is answered is its [`Service`]'s affair. It may not
//! know what a session, a report or a page is.
//!
//! A page of any site can send requests here from a browser that runs on this machine. So
//! [`guard`] refuses what such a page may have sent, before a service hears of it.

mod answer;
mod connection;
mod events;
mod guard;
mod patient_stream;
mod port;
mod port_owner;
mod server;
mod shared;

pub use answer::{Answer, Response, Service, text};
pub use events::{Bell, EventSource, EventStream, Next};
pub use port::{PortError, open_port};
pub use port_owner::PortOwner;
pub use server::LocalServer;
pub use shared::Limits;

//! The OTLP receiver: it takes requests over gRPC and HTTP, within limits of bytes and
//! time, and hands their bodies on. It may not know spans, evidence of them, diagnoses
//! or the broker.
//!
//! [`Receiver::open`] listens for OTLP over gRPC and HTTP as
//! <https://opentelemetry.io/docs/specs/otlp/> says. Each request's body is
//! decompressed and handed to an [`Inbox`], whose word decides the answer. Every wrong way in is answered with its remedy, and
//! told to the inbox too, because it is evidence. [`Forwarder`] sends what came
//! on to another endpoint.
//!
//! gRPC's framing is read here and not by tonic's server, which decompresses before it
//! can be asked for the bytes that it takes: here each byte is in the [`Budget`] first.

mod activity;
mod answer;
mod body;
mod budget;
mod client;
mod connection;
mod connection_slots;
mod cors;
mod decompress;
mod error;
mod forward;
mod inbox;
mod limits;
mod ports;
mod request;
mod route;
mod server;
mod windows;

pub use budget::Budget;
pub use error::ReceiverError;
pub use forward::{ForwardError, Forwarder, Loss, Sent};
pub use inbox::{Encoding, Ended, Inbox, PortKind, Receipt, Refusal, Request, Signal, Taken, Transport};
pub use limits::ReceiverLimits;
pub use ports::{Addresses, Ports};
pub use server::Receiver;

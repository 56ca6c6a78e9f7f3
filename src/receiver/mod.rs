//! The OTLP receiver: it accepts requests over gRPC and HTTP, within limits of bytes and
//! time, and hands their bodies on. It may not know spans, diagnoses or the broker.
//!
//! [`Receiver::open`] listens for OTLP over gRPC and HTTP as
//! <https://opentelemetry.io/docs/specs/otlp/> says. It decompresses the body of each
//! request and gives it to an [`Inbox`], which decides the answer. A client that sends in
//! a wrong way is told how to send instead. The inbox hears of that too, because it is
//! evidence. [`Forwarder`] sends requests on to another endpoint.
//!
//! gRPC's framing is read here, and not by tonic's server: that decompresses a message
//! before it asks for the bytes. Here each byte is in the [`Budget`] first.

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
pub use inbox::{Ended, Inbox, OtlpEncoding, PortKind, Receipt, Refusal, Request, Signal, Taken, Transport};
pub use limits::ReceiverLimits;
pub use ports::{Addresses, Ports};
pub use server::Receiver;

//! The OTLP receiver's shell: ports, protocols and limits, and no idea of spans.
//!
//! [`Receiver::open`] listens for OTLP over gRPC and HTTP as
//! <https://opentelemetry.io/docs/specs/otlp/> says. Each request's body is
//! unpacked, within limits of bytes and time, and handed to an [`Inbox`], whose
//! word decides the answer. Every wrong way in is answered with its remedy, and
//! told to the inbox too, because it is evidence. [`Forwarder`] sends what came
//! on to another endpoint.
//!
//! Nothing here decodes a span, keeps one, or knows a diagnosis. gRPC's framing
//! is read here and not by tonic's server, which unpacks before it can be asked
//! for the bytes that it takes: here each byte is in the [`Budget`] first.

mod answer;
mod body;
mod budget;
mod client;
mod connection;
mod cors;
mod doors;
mod error;
mod forward;
mod inbox;
mod limits;
mod listening;
mod occupant;
mod places;
mod pulse;
mod route;
mod unpack;
mod visit;
mod windows;

pub use budget::Budget;
pub use doors::{Addresses, Doors};
pub use error::ReceiverError;
pub use forward::{ForwardError, Forwarder, Loss, Sent};
pub use inbox::{Door, Encoding, Ended, Inbox, Receipt, Refusal, Request, Signal, Taken, Transport};
pub use limits::Limits;
pub use listening::Receiver;

//! Where people look instead of read: what a live view shows, and the terminal that shows
//! it.
//!
//! A view is fed with the one stream of events and with plain figures. It judges nothing,
//! and knows neither a receiver nor a broker: what it wants to know besides it asks a
//! [`Source`].

pub mod board;
pub mod metrics;
pub mod terminal;
pub mod web;

mod source;

pub use self::source::{Source, SpanFacts};

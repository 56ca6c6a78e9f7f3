//! Bytes to values and back: pure, bounded and fuzzed. It may not know I/O, clocks
//! or what becomes of the values.
//!
//! Everything that is read here comes from outside and is hostile. A function in this room
//! never panics, never recurses deeper than a limit, never allocates more than a stated
//! multiple of its input (or a stated cap, if compression is involved), and never loads
//! code. It does no I/O and reads no clock.

pub mod broker;
pub mod celery;
pub mod clickhouse;
pub mod context;
pub mod jaeger;
mod json;
pub mod otlp;
pub mod snapshot;
mod tags;
pub mod url;
pub mod zipkin;

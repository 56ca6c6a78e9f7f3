//! Stores that keep spans and answer questions about them. They are only read, and asked to
//! count and to choose themselves, so that little comes over the wire. Nothing here knows
//! evidence's conclusions, or who asks.

pub mod clickhouse;

//! The read-only shells around brokers, a room for each.

pub mod redis;

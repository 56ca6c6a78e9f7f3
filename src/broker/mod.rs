//! The read-only shells around brokers, a room for each. No broker knows another one, or
//! a diagnosis.

pub mod redis;

//! The read-only shells around brokers, a room for each. A broker's room uses no other
//! broker's, and no diagnosis.

pub mod redis;

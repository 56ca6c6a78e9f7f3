//! How kombu and Celery lay out their data in Redis, and the reader that reports it to a
//! [`BrokerSink`](crate::wire::broker::BrokerSink).
//!
//! `keys.rs` is the only file that knows the names of keys; `key_map.rs` knows which list
//! belongs to which queue.

mod bound;
mod key_map;
pub mod keys;
mod look_cache;
mod reader;

pub use bound::Bound;
pub use key_map::{KeyMap, Naming};
pub use reader::{Foreign, RedisReader};

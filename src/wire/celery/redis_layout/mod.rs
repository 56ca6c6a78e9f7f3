//! How kombu and Celery lay out what they keep in Redis, and the reader that
//! tells a [`BrokerSink`](crate::wire::broker::BrokerSink) of it.
//!
//! `keys.rs` is the one file that knows a key's name; `key_map.rs` knows which
//! list is which queue's.

mod bound;
mod key_map;
pub mod keys;
mod look_cache;
mod reader;

pub use bound::Bound;
pub use key_map::{KeyMap, Naming};
pub use reader::{Foreign, RedisReader};

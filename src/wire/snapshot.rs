//! The broker snapshot, format `broker/1`.

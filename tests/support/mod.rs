//! What tests need of the real world: a Redis of their own, Python with
//! Celery in it, and Node. What is missing is asked for by name; nothing is skipped.

#![allow(dead_code, reason = "each test uses what it needs")]

pub mod asking;
pub mod clickhouse;
pub mod node;
pub mod python;
pub mod redis;

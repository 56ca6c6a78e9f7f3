//! Celery's messages, results and key names, as kombu writes them to Redis.

pub mod value;

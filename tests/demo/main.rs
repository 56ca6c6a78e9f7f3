//! The demo's applications, acted out: every fault is named first, and nothing
//! is said of what is healthy; the native one's wire is the real one, the Python
//! one's environment whole or not there; and nothing is left behind.

mod bundle;
mod celery;
mod cleaning;
mod command;
mod environment;
mod matrix;
mod mend;
mod python;
#[path = "../support/mod.rs"]
mod support;

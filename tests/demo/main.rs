//! The demo's native application, acted out: every fault is named first, and
//! nothing is said of what is healthy; its wire is the real one; and nothing is
//! left behind.

mod bundle;
mod celery;
mod cleaning;
mod environment;
mod matrix;
mod python;
#[path = "../support/mod.rs"]
mod support;

//! The demo's native application, acted out: every fault is named first, and
//! nothing is said of what is healthy.

mod bundle;
mod matrix;

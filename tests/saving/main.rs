//! Evidence as `--save` keeps it: redacted, whole or said not to be, and diagnosed as
//! what was seen live.

#[path = "../listen/listener.rs"]
#[allow(dead_code, reason = "the tests of listen use the rest of it")]
mod listener;
#[path = "../support/mod.rs"]
mod support;

mod fields;
mod inputs;
mod redacted;
mod secrets;
mod torn;

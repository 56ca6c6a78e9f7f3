//! The page of `--web`, as browsers and scripts ask for it, and whoever means harm.

#[path = "../listen/listener.rs"]
#[allow(dead_code, reason = "the tests of listen use the rest of it")]
mod listener;
#[path = "../support/mod.rs"]
mod support;

mod browser;
mod commands;
mod hostile;
mod live;
mod safe;
mod stream;

//! The pytest plugin, under real pytest with real applications: it says nothing of what
//! is whole, names what is broken with its fix, and does nothing that it is not asked for.

mod examples;
mod five_minutes;
mod run;
mod sessions;
#[path = "../support/mod.rs"]
mod support;

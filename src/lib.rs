//! tracelink says why a distributed trace breaks between a web API and its
//! Celery worker, and how to mend it.
//!
//! Evidence flows one way, from bytes to an explanation:
//!
//! ```text
//! broker/  ─┐                                                     ┌─ report/
//!           ├─ bytes ─► wire/ ─► model/ ─► evidence/ ─► diagnosis/ ┤
//! receiver/ ┘                                                     └─ view/
//! ```
//!
//! The modules that `cfg(fuzzing)` leaves out read no evidence; what they are built of takes
//! most of the time of a build.
//!
//! Each module says what it is for and what it refuses to know; the test
//! `tests/layers` holds them to it.

// What serves only the modules that are left out.
#![cfg_attr(fuzzing, allow(dead_code, unused_imports))]

pub mod broker;
pub mod bundle;
#[cfg(not(fuzzing))]
pub mod cli;
#[cfg(not(fuzzing))]
pub mod command;
#[cfg(not(fuzzing))]
pub mod config;
#[cfg(not(fuzzing))]
pub mod demo;
pub mod diagnosis;
pub mod evidence;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
pub mod live;
#[cfg(not(fuzzing))]
pub mod local_http;
pub mod model;
pub mod policy;
#[cfg(not(fuzzing))]
pub mod query;
#[cfg(not(fuzzing))]
pub mod receiver;
pub mod report;
#[cfg(not(fuzzing))]
pub mod view;
pub mod wire;

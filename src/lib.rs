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
//! Each module says what it is for and what it refuses to know; the test
//! `tests/layers` holds them to it.

pub mod broker;
pub mod bundle;
pub mod cli;
pub mod command;
pub mod config;
pub mod demo;
pub mod diagnosis;
pub mod evidence;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
pub mod live;
pub mod local_http;
pub mod model;
pub mod policy;
pub mod query;
pub mod receiver;
pub mod report;
pub mod view;
pub mod wire;

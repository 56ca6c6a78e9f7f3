//! The Python application: real FastAPI, Celery, OpenTelemetry and Redis, included in this
//! binary, and the faults that it can show.
//!
//! The application and what can be broken in it are files beside this folder
//! (`../python`, whose README is the contract). This room writes them to the
//! user's cache, makes their environment there once, and runs the entries of
//! their manifest. It knows no entry by its slug, nothing of the native
//! application, and judges nothing but whether a report says what an entry demands.

mod assets;
mod environment;
mod error;
mod launch;
mod manifest;
mod paste_fix;
mod ports;
mod process;
mod programs;
mod reaper;
mod redis_server;
mod run;
mod run_options;
mod task_tracker;
mod tools;

pub use assets::cache_folder;
pub use environment::{Environment, prepare};
pub use error::EnvironmentError;
pub use manifest::{Entry, Manifest, manifest};
pub use run::run;
pub use run_options::Options;
pub use tools::SetupStep;

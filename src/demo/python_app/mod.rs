//! The demo in real Python: FastAPI, Celery, OpenTelemetry and Redis, brought
//! along in this binary.
//!
//! The application and what can be broken in it are files beside this folder
//! (`../python`, whose README is the contract). This room writes them to the
//! user's cache, makes their environment there once, has the programs of an entry
//! written, and acts it out. It knows no entry by its slug, and judges nothing but whether a
//! report says what an entry demands.

mod act;
mod assets;
mod environment;
mod error;
mod ledger;
mod making;
mod manifest;
mod mending;
mod ports;
mod process;
mod programs;
mod redis_server;
mod warden;

pub use act::{Options, give};
pub use assets::cache_folder;
pub use environment::{Environment, make};
pub use error::EnvironmentError;
pub use making::Making;
pub use manifest::{Entry, Manifest, manifest};

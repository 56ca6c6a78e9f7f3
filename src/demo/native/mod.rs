//! The native application: a reference API and worker in Rust, and the faults
//! that it can show.
//!
//! Its processes are this very program, started again. They speak Celery's protocol over
//! Redis's, and OTLP, so that real programs can replace them. A [`Fault`] changes one thing
//! in how they are set up. This room knows nothing about the Python application or about
//! how tracelink judges.

mod api;
mod channel;
mod child;
mod client;
mod entry_point;
mod fault;
mod faults;
mod process_protocol;
mod processes;
mod publisher;
mod result_backend;
mod run;
mod scenario;
mod setup;
mod task_message;
mod telemetry;
mod worker;
mod written;

pub use child::SUBCOMMAND;
pub use entry_point::run as run_process;
pub use fault::Fault;
pub use faults::{all, find};
pub use run::{Options, run};
pub use scenario::Scenario;

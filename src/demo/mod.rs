//! The demo: a reference API and worker, their broker, and every way in which
//! their trace can break.
//!
//! The application is in the spirit of the one in the article that this began
//! with: an order comes in over HTTP, a task sends a confirmation and updates
//! the inventory. Its processes are this very program, started again; they
//! speak Celery's protocol over Redis's, and OTLP, so that real ones can take
//! their places. A [`Fault`] changes one thing in how they are put together;
//! nothing else of tracelink knows of it, and the evidence that it leaves is
//! that of the real thing.

mod api;
mod broker;
mod child;
mod client;
mod clock;
mod error;
mod event;
mod fault;
mod faults;
mod link;
mod message;
mod orders;
mod play;
mod process;
mod publish;
pub mod python_app;
mod report;
mod setup;
mod stage;
mod telemetry;
mod troupe;
mod worker;

pub use child::SUBCOMMAND;
pub use client::ORDER;
pub use error::DemoError;
pub use event::{Event, Watch};
pub use fault::Fault;
pub use faults::{all, find};
pub use play::{Otlp, Play};
pub use process::run as run_process;
pub use stage::{Options, give};

//! The demo: an application with an API and a worker, and every way in which
//! their trace can break.
//!
//! The application is in the spirit of the one in the article that this began
//! with: an order comes in over HTTP, a task sends a confirmation and updates
//! the inventory. There are two of it: [`native`], which is this program itself,
//! and [`python_app`], which is real Python. Neither knows the other, and nothing
//! else of tracelink knows either: the evidence that they leave is that of the
//! real thing.

mod broker;
mod clock;
mod error;
mod event;
pub mod native;
mod orders;
mod otlp_endpoints;
pub mod python_app;
mod redis_connection;
mod timing;

pub use error::DemoError;
pub use event::{DemoEvent, Listener};
pub use orders::Order;
pub use otlp_endpoints::OtlpEndpoints;

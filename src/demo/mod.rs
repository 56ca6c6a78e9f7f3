//! The demo: an application with an API and a worker, and every way in which
//! their trace can break.
//!
//! The application follows the one in the article that this project began with: an order
//! comes in over HTTP, and a task sends a confirmation and updates the inventory. There are
//! two versions: [`native`], which is this program itself, and [`python_app`], which is
//! real Python. Neither knows the other, and nothing else in tracelink knows either: the
//! evidence that they leave is the same as that of a real application.

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

//! `listen --metrics`: figures for a monitoring system, as Prometheus reads them. It counts
//! nothing itself, and writes down what it is given.

mod exposition;
mod families;
mod routes;

pub use families::{Figures, OpenFinding};
pub use routes::{Measured, MetricsPage};

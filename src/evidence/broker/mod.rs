//! What was found in the brokers.

mod absences;
mod brokers;
mod history;
mod look;
mod requested_queues;
mod routes;

pub use brokers::Brokers;
pub use history::Broker;
pub use look::Look;
pub use requested_queues::RequestedQueues;
pub use routes::Routes;

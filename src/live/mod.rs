//! A live session: it feeds evidence from a receiver and a broker, and judges it
//! while it comes.
//!
//! Events, reports and notices are handed to whoever shows them. Nothing here
//! prints, and nothing here knows who reads.

mod broker_looks;
mod filing;
mod memory;
mod notice;
mod rounds;
mod saving;
mod session;
mod watching;

pub use broker_looks::{BrokerLooks, LookChange};
pub use memory::{Plan, Uses};
pub use notice::{Notice, Notices};
pub use rounds::{Audience, End, Ending, Outside, Told, attend, close};
pub use saving::{Saving, Scope};
pub use session::Session;
pub use watching::{Target, Watching};

//! A live session: it feeds evidence from a receiver or a store, and a broker, and judges it
//! while it comes. It may not print, and may not know who shows its events, reports and
//! notices.
//!
//! Of all this, fuzzing needs the plan of memory alone.

#[cfg(not(fuzzing))]
mod broker_looks;
#[cfg(not(fuzzing))]
mod broker_threads;
#[cfg(not(fuzzing))]
mod choosing;
#[cfg(not(fuzzing))]
mod counted;
#[cfg(not(fuzzing))]
mod filing;
mod memory;
#[cfg(not(fuzzing))]
mod notice;
#[cfg(not(fuzzing))]
mod queried;
#[cfg(not(fuzzing))]
mod rounds;
#[cfg(not(fuzzing))]
mod saving;
#[cfg(not(fuzzing))]
mod session;
#[cfg(not(fuzzing))]
mod store_thread;
#[cfg(not(fuzzing))]
mod store_turn;
#[cfg(not(fuzzing))]
mod stored;

#[cfg(not(fuzzing))]
pub use broker_looks::{BrokerLooks, LookChange};
#[cfg(not(fuzzing))]
pub use broker_threads::{BrokerTarget, BrokerThreads};
#[cfg(not(fuzzing))]
pub use choosing::Selection;
pub use memory::{FilePlan, MemoryPlan, Uses};
#[cfg(not(fuzzing))]
pub use notice::{SessionNotice, SessionNotices};
#[cfg(not(fuzzing))]
pub use queried::{Asked, Inquired, Inquiry, inquire, report as queried_report};
#[cfg(not(fuzzing))]
pub use rounds::{Audience, End, EndRequest, Ending, Outside, attend, close};
#[cfg(not(fuzzing))]
pub use saving::{SaveOptions, Saving};
#[cfg(not(fuzzing))]
pub use session::Session;
#[cfg(not(fuzzing))]
pub use store_thread::{StoreTarget, StoreThread};
#[cfg(not(fuzzing))]
pub use store_turn::Reach;
#[cfg(not(fuzzing))]
pub use stored::{OnProgress, StoredSession};

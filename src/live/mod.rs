//! A live session: it feeds evidence from a receiver and a broker, and judges it while
//! it comes. It may not print, and may not know who shows its events, reports and
//! notices.

mod broker_looks;
mod broker_threads;
mod filing;
mod memory;
mod notice;
mod queried;
mod rounds;
mod saving;
mod session;
mod stored;

pub use broker_looks::{BrokerLooks, LookChange};
pub use broker_threads::{BrokerTarget, BrokerThreads};
pub use memory::{FilePlan, MemoryPlan, Uses};
pub use notice::{SessionNotice, SessionNotices};
pub use queried::{Inquired, Inquiry, inquire, report as queried_report};
pub use rounds::{Audience, End, EndRequest, Ending, Outside, attend, close};
pub use saving::{SaveOptions, Saving};
pub use session::Session;
pub use stored::{OnProgress, StoredSession};

//! A store, asked through the library as `diagnose` asks it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use tracelink::live::{FilePlan, Inquired, Inquiry, Selection, StoredSession, inquire, queried_report};
use tracelink::model::{Report, Timestamp};
use tracelink::query::clickhouse::{ClickhouseUrl, Client, Filter, Limits, QueryError, Window, find};

/// All spans, unless told otherwise.
pub fn everything(window: Window) -> Inquiry {
    let selection = Selection { filter: Filter::default(), sample: 20, all_up_to: 20_000 };
    Inquiry { subject: Inquired::Window(window), selection }
}

/// A sample of two of each group.
pub fn two_of_each(window: Window) -> Inquiry {
    let all = everything(window);
    Inquiry { selection: Selection { sample: 2, all_up_to: 0, ..all.selection }, ..all }
}

pub fn client(url: &str, limits: Limits) -> Client<'static> {
    let url = ClickhouseUrl::parse(url).unwrap_or_else(|error| panic!("{error}"));
    Client::new(url, limits, Arc::new(AtomicBool::new(false)), Box::new(|_| ())).expect("a client")
}

pub fn ask(url: &str, inquiry: &Inquiry) -> Result<Report, QueryError> {
    ask_within(url, inquiry, Limits::default())
}

pub fn ask_within(url: &str, inquiry: &Inquiry, limits: Limits) -> Result<Report, QueryError> {
    let store = find(client(url, limits), None)?;
    let plan = FilePlan::of_store(usize::MAX, false);
    let mut session = StoredSession::new(&plan, Box::new(|_, _| ()));
    let database = inquire(&store, inquiry, &mut session)?.database;
    Ok(queried_report(&session, database))
}

/// A day ago: what was then is over.
pub fn a_day_ago() -> Timestamp {
    #[allow(clippy::disallowed_methods, reason = "the store has a clock of its own, which is this one")]
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    Timestamp::from_nanos(0).after(now).before(Duration::from_hours(24))
}

#[allow(clippy::cast_precision_loss, reason = "seconds since 1970 fit")]
pub fn seconds(at: Timestamp) -> f64 {
    at.as_nanos() as f64 / 1e9
}

/// The time before `end`, with nothing beyond it in the store.
pub fn until(end: Timestamp, lasts: Duration) -> Window {
    let from = end.before(lasts + Duration::from_secs(5));
    Window { from, to: end.after(Duration::from_secs(5)), margin: Duration::from_mins(15) }
}

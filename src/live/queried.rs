//! Evidence from a store that answers questions (`query/`): the store counts all hand-offs,
//! and what is fetched of them (`choosing.rs`) is judged as files are. Nothing is said of an
//! absence that lies at the edge of what was asked for.
//!
//! Messages of a broker that were filed before lead to their publishes: by the trace that they
//! carry, whenever that was, or by their ids within the time.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::bundle::{Store as _, StoreSink};
use crate::diagnosis::Listing;
use crate::evidence::{Evidence, Unit};
use crate::live::choosing::{
    Chosen, Counting, Selection, Together, choose, described, fetch_whole, together,
};
use crate::live::counted::{counted, with_counts};
use crate::live::stored::StoredSession;
use crate::model::{DatabaseReport, Report, Timestamp, TraceId};
use crate::query::clickhouse::{QueryError, Store, Survey, Window};

/// What a store is asked.
#[derive(Clone, PartialEq, Debug)]
pub struct Inquiry {
    pub subject: Inquired,
    pub selection: Selection,
}

/// Which traces a store is asked for.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Inquired {
    /// Those with a span within a time.
    Window(Window),
    /// One, and those that belong to it, within this margin around it.
    Trace(TraceId, Duration),
}

/// The most messages of a broker whose publishes are looked for.
const MESSAGES: usize = 2_000;
/// The longest id of a task that is asked for, in bytes. Celery's have 36.
const ID: usize = 200;
/// What began so shortly before the end of what the store has may have more on its way: a
/// Collector and the store's own buffers hold spans too, and a request may last.
const ON_THE_WAY: Duration = Duration::from_mins(2);
/// A task that has not ended after this long is taken for one that will not.
const LONG_OVER: Duration = Duration::from_hours(1);

/// What is to be fetched, and what is known about it.
struct Choice {
    window: Window,
    together: Together,
    /// Of these, the traces that messages of a broker carry, whenever they were.
    carried: BTreeSet<TraceId>,
    is_sample: bool,
    survey: Survey,
    report: DatabaseReport,
}

/// What a store answered.
#[derive(Debug)]
pub struct Asked {
    /// What it counted.
    pub database: DatabaseReport,
    /// The user's interruption, where it came when all was counted and not all was fetched.
    pub interruption: Option<QueryError>,
}

/// Asks the store, files what it answers with, and reports what it counted.
///
/// # Errors
///
/// [`QueryError`], at the first question that is not answered. What was counted is reported
/// all the same where somebody only ended the fetch.
pub fn inquire(
    store: &Store<'_>,
    inquiry: &Inquiry,
    session: &mut StoredSession<'_>,
) -> Result<Asked, QueryError> {
    let messages = Messages::of(session.evidence());
    let choice = choice(store, inquiry, messages)?;
    if choice.is_sample {
        session.evidence().note_sample();
    }
    let goes_on = store.now < choice.window.to.after(choice.window.margin.max(LONG_OVER));
    if goes_on {
        session.evidence().note_going_on();
    }
    session.evidence().note_asked(choice.window.from, choice.window.to);
    let interruption = match fetch(store, &choice, session) {
        Ok(()) => None,
        Err(error) if error.is_interruption() => Some(error),
        Err(error) => return Err(error),
    };
    if interruption.is_some() {
        // What came is told, and nothing that it lacks.
        session.evidence().found_hole();
    }
    doubt(session.evidence(), &choice, store.now, goes_on);
    let Choice { is_sample, survey, report, .. } = choice;
    let report = DatabaseReport { is_sample: is_sample || interruption.is_some(), ..report };
    Ok(Asked { database: counted(store, survey, session.evidence(), report), interruption })
}

/// Files the spans of what was chosen.
fn fetch(store: &Store<'_>, choice: &Choice, session: &mut StoredSession<'_>) -> Result<(), QueryError> {
    let mut sink = StoreSink::of_rows(session);
    let of_window = choice.together.traces.difference(&choice.carried).copied().collect();
    fetch_whole(store, &of_window, &choice.window.padded(), &mut sink)?;
    // By themselves: what waits since yesterday is no reason to read all since yesterday.
    if let Some(lifetime) = store.lifetime(&choice.carried)? {
        store.fetch(&choice.carried, &lifetime, &mut sink)?;
    }
    sink.end();
    Ok(())
}

/// What the messages of a broker, filed before a store is asked, lead to.
#[derive(Default)]
struct Messages {
    /// The traces that they carry.
    traces: BTreeSet<TraceId>,
    /// The tasks of those that carry none.
    tasks: BTreeSet<String>,
}

impl Messages {
    /// Those whose publish was not seen.
    fn of(evidence: &Evidence) -> Self {
        let mut messages = Self::default();
        let tasks = evidence.tasks.iter();
        for task in tasks.filter(|task| !task.messages.is_empty() && task.producers.is_empty()).take(MESSAGES)
        {
            let mut contexts = task.contexts().peekable();
            if contexts.peek().is_none() && task.id.len() <= ID {
                messages.tasks.insert(task.id.to_string());
            }
            messages.traces.extend(contexts.map(|context| context.trace_id));
        }
        messages
    }
}

/// Chooses the traces to fetch.
fn choice(store: &Store<'_>, inquiry: &Inquiry, messages: Messages) -> Result<Choice, QueryError> {
    let (window, chosen) = match inquiry.subject {
        Inquired::Trace(id, margin) => {
            let traces = BTreeSet::from([id]);
            let Some(lifetime) = store.lifetime(&traces)? else {
                return Ok(nothing(store));
            };
            (Window { margin, ..lifetime }, Chosen { traces, is_sample: true, ..Chosen::default() })
        }
        Inquired::Window(window) => (window, choose(store, &window, &inquiry.selection, Counting::Always)?),
    };
    let Chosen { mut traces, is_sample, extent, survey } = chosen;
    let padded = window.padded();
    traces.extend(&messages.traces);
    traces.extend(store.traces_of_messages(&messages.tasks, &padded)?);
    let report = DatabaseReport {
        from: window.from,
        to: window.to,
        margin_s: window.margin.as_secs(),
        spans: extent.spans,
        traces: extent.traces,
        ..described(store)
    };
    let together = together(store, traces, &padded)?;
    Ok(Choice { window, together, carried: messages.traces, is_sample, survey, report })
}

/// For a trace that is not there.
fn nothing(store: &Store<'_>) -> Choice {
    Choice {
        window: Window { from: store.now, to: store.now, margin: Duration::ZERO },
        together: Together::default(),
        carried: BTreeSet::new(),
        is_sample: true,
        survey: Survey::default(),
        report: DatabaseReport { from: store.now, to: store.now, ..described(store) },
    }
}

/// Notes of which traces and tasks nothing may be said that they lack: what is still on its
/// way, and tasks whose other side was not looked for.
fn doubt(evidence: &mut Evidence, choice: &Choice, now: Timestamp, goes_on: bool) {
    let late = choice.window.padded().to.min(now).before(ON_THE_WAY);
    let is_late = |at: Timestamp| goes_on && at >= late;
    let traces = evidence.spans.traces().filter(|trace| trace.spans.iter().any(|span| is_late(span.start)));
    let mut doubted: Vec<_> = traces.map(|trace| Unit::Trace(trace.id)).collect();
    for task in evidence.tasks.iter() {
        let sides = task.producers.iter().chain(&task.consumers);
        let spans: Vec<_> = sides.filter_map(|key| evidence.spans.get(*key)).collect();
        if spans.is_empty() {
            continue;
        }
        let is_one_sided = task.producers.is_empty() || task.consumers.is_empty();
        let is_open =
            is_one_sided && spans.iter().any(|found| choice.together.open.contains(&found.trace.id));
        if is_open || spans.iter().any(|found| is_late(found.span.start)) {
            doubted.push(Unit::Task(task.id.clone()));
        }
    }
    doubted.into_iter().for_each(|unit| evidence.note_unsettled(unit));
}

/// The report on what was fetched, with what the store counted.
pub fn report(session: &StoredSession<'_>, database: DatabaseReport) -> Report {
    with_counts(session.report(Listing::default()), database)
}

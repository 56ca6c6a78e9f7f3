//! Evidence from a store that answers questions (`query/`): the store counts all hand-offs,
//! and what is fetched of them is judged as files are.
//!
//! Where few spans began within the time, all their traces are fetched. Otherwise it is a
//! sample: the latest hand-offs of each group that the store counts, and one trace for each
//! kind of span of each service, so that what a service does is not taken for undone. In
//! either case traces are fetched whole, with the traces that belong to their hand-offs, and
//! nothing is said of an absence that lies at the edge of what was asked for.
//!
//! Messages of a broker that were filed before lead to their publishes: by the trace that they
//! carry, whenever that was, or by their ids within the time.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::bundle::{Store as _, StoreSink};
use crate::diagnosis::{Listing, NOT_LOOKED_AT};
use crate::evidence::{Evidence, Unit};
use crate::live::stored::StoredSession;
use crate::model::{DatabaseReport, HandoffGroup, Report, Timestamp, TraceId, Unproven, Verdict};
use crate::query::clickhouse::{Filter, Group, QueryError, Store, Survey, Window};

/// What a store is asked.
#[derive(Clone, PartialEq, Debug)]
pub struct Inquiry {
    pub subject: Inquired,
    pub filter: Filter,
    /// How many hand-offs of each group are looked at.
    pub sample: usize,
    /// Up to so many spans within the time, all are fetched.
    pub all_up_to: u64,
}

/// Which traces a store is asked for.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Inquired {
    /// Those with a span within a time.
    Window(Window),
    /// One, and those that belong to it, within this margin around it.
    Trace(TraceId, Duration),
}

/// How often traces that belong to others are looked for. A request leads to its runs, and a
/// run to those of tasks that it publishes.
const ROUNDS: usize = 4;
/// The most traces that are fetched. Those of a busy hour are more, and memory keeps them out.
const TRACES: usize = 20_000;
/// The most traces that a sample begins with.
const SAMPLED_TRACES: usize = 2_000;
/// The most messages of a broker whose publishes are looked for.
const MESSAGES: usize = 2_000;
/// The longest id of a task that is asked for, in bytes. Celery's have 36.
const ID: usize = 200;
/// How many runs without a publish are looked at, whatever the sample: fewer do not show
/// whether a scheduler, which has no context to send, publishes them at even intervals.
const UNPUBLISHED: usize = 20;
/// What began so shortly before the end of what the store has may have more on its way: a
/// Collector and the store's own buffers hold spans too, and a request may last.
const ON_THE_WAY: Duration = Duration::from_mins(2);
/// A task that has not ended after this long is taken for one that will not.
const LONG_OVER: Duration = Duration::from_hours(1);

/// What is to be fetched, and what is known about it.
struct Choice {
    window: Window,
    traces: BTreeSet<TraceId>,
    /// Of these, the traces that may belong to others which are not among them.
    open: BTreeSet<TraceId>,
    /// Of these, the traces that messages of a broker carry, whenever they were.
    carried: BTreeSet<TraceId>,
    is_sample: bool,
    survey: Survey,
    report: DatabaseReport,
}

/// Asks the store, files what it answers with, and reports what it counted.
///
/// # Errors
///
/// [`QueryError`], at the first question that is not answered.
pub fn inquire(
    store: &Store<'_>,
    inquiry: &Inquiry,
    session: &mut StoredSession<'_>,
) -> Result<DatabaseReport, QueryError> {
    let messages = Messages::of(session.evidence());
    let mut choice = choose(store, inquiry, messages)?;
    if choice.is_sample {
        session.evidence().note_sample();
    }
    let goes_on = store.now < choice.window.to.after(choice.window.margin.max(LONG_OVER));
    if goes_on {
        session.evidence().note_going_on();
    }
    let mut sink = StoreSink::of_rows(session);
    let of_window: BTreeSet<_> = choice.traces.difference(&choice.carried).copied().collect();
    if !of_window.is_empty() {
        let padded = choice.window.padded();
        let lifetime = store.lifetime(&of_window)?;
        let within = lifetime.map_or(padded, |lifetime| lifetime.with(&padded));
        store.fetch(&of_window, &within, &mut sink)?;
    }
    // By themselves: what waits since yesterday is no reason to read all since yesterday.
    if let Some(lifetime) = store.lifetime(&choice.carried)? {
        store.fetch(&choice.carried, &lifetime, &mut sink)?;
    }
    sink.end();
    doubt(session.evidence(), &choice, store.now, goes_on);
    Ok(account(store, &mut choice, session.evidence()))
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
fn choose(store: &Store<'_>, inquiry: &Inquiry, messages: Messages) -> Result<Choice, QueryError> {
    let (window, begin, is_sample, survey, extent) = match inquiry.subject {
        Inquired::Trace(id, margin) => {
            let begin = BTreeSet::from([id]);
            let Some(lifetime) = store.lifetime(&begin)? else {
                return Ok(nothing(store));
            };
            let window = Window { margin, ..lifetime };
            (window, begin, true, Survey::default(), None)
        }
        Inquired::Window(window) => {
            let extent = store.extent(&window)?;
            let is_all = extent.spans <= inquiry.all_up_to;
            let survey = store.survey(&window, &inquiry.filter, inquiry.sample.max(UNPUBLISHED))?;
            let begin: BTreeSet<TraceId> = if is_all {
                store.traces_within(&window, &inquiry.filter, TRACES)?.into_iter().collect()
            } else {
                let mut begin = sampled(&survey, inquiry.sample);
                begin.extend(store.trace_of_each_service(&window)?);
                begin
            };
            let is_sample = !is_all || !inquiry.filter.is_empty() || begin.len() >= TRACES;
            (window, begin, is_sample, survey, Some(extent))
        }
    };
    let padded = window.padded();
    let mut begin = begin;
    begin.extend(&messages.traces);
    begin.extend(store.traces_of_messages(&messages.tasks, &padded)?);
    let (mut traces, mut open) = (begin.clone(), begin);
    for _ in 0..ROUNDS {
        if open.is_empty() || traces.len() >= TRACES {
            break;
        }
        let found = store.partners(&open, &padded)?;
        open = found.difference(&traces).copied().take(TRACES - traces.len()).collect();
        traces.extend(&open);
    }
    let extent = extent.unwrap_or_default();
    let report = DatabaseReport {
        from: window.from,
        to: window.to,
        margin_s: window.margin.as_secs(),
        is_sample,
        spans: extent.spans,
        traces: extent.traces,
        ..described(store)
    };
    Ok(Choice { window, traces, open, carried: messages.traces, is_sample, survey, report })
}

/// For a trace that is not there.
fn nothing(store: &Store<'_>) -> Choice {
    Choice {
        window: Window { from: store.now, to: store.now, margin: Duration::ZERO },
        traces: BTreeSet::new(),
        open: BTreeSet::new(),
        carried: BTreeSet::new(),
        is_sample: true,
        survey: Survey::default(),
        report: DatabaseReport { is_sample: true, from: store.now, to: store.now, ..described(store) },
    }
}

fn described(store: &Store<'_>) -> DatabaseReport {
    let table = &store.table;
    DatabaseReport {
        url: store.client().shown().to_owned(),
        table: format!("{}.{}", table.database, table.name),
        layout: table.kind.label(),
        version: store.version.clone(),
        lacks: table.lacks().into_iter().map(str::to_owned).collect(),
        ..DatabaseReport::default()
    }
}

/// The traces of the hand-offs to look at. Where there are many groups, each gets fewer;
/// those that are whole get fewer than those that are not.
fn sampled(survey: &Survey, most: usize) -> BTreeSet<TraceId> {
    /// Enough to show that there are some that are whole.
    const WHOLE: usize = 5;
    let each = (SAMPLED_TRACES / 2 / survey.groups.len().max(1)).clamp(1, most.max(1));
    let of = |group: &Group| match group.outcome {
        "no-producer" => each.max(UNPUBLISHED),
        _ if group.is_whole() => each.min(WHOLE),
        _ => each,
    };
    let sampled = survey.groups.iter().flat_map(|group| group.sample.iter().take(of(group)));
    let mut traces = BTreeSet::new();
    for handoff in sampled {
        if traces.len() < SAMPLED_TRACES {
            traces.extend(&handoff.traces);
        }
    }
    traces
}

/// Notes of which traces and tasks nothing may be said that they lack: what is still on its
/// way, tasks that lie outside of the time, and those whose other side was not looked for.
fn doubt(evidence: &mut Evidence, choice: &Choice, now: Timestamp, goes_on: bool) {
    let Window { from, to, .. } = choice.window;
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
        // What waits now is asked for with its publish, whenever that was.
        let is_outside = task.messages.is_empty()
            && spans.iter().all(|found| found.span.start < from || found.span.start >= to);
        let is_one_sided = task.producers.is_empty() || task.consumers.is_empty();
        let is_open = is_one_sided && spans.iter().any(|found| choice.open.contains(&found.trace.id));
        if is_outside || is_open || spans.iter().any(|found| is_late(found.span.start)) {
            doubted.push(Unit::Task(task.id.clone()));
        }
    }
    doubted.into_iter().for_each(|unit| evidence.note_unsettled(unit));
}

/// What the store counted, with how much of it was looked at.
fn account(store: &Store<'_>, choice: &mut Choice, evidence: &Evidence) -> DatabaseReport {
    let survey = std::mem::take(&mut choice.survey);
    let is_there = |id: &Option<String>, traces: &[TraceId]| match id {
        Some(id) => evidence.tasks.get(id).is_some(),
        None => traces.iter().any(|trace| evidence.spans.trace(*trace).is_some()),
    };
    let has_all = !choice.is_sample && evidence.counts().evicted_traces == 0;
    let groups: Vec<_> = survey
        .groups
        .into_iter()
        .map(|group| {
            let seen = group.sample.iter().filter(|one| is_there(&one.id, &one.traces)).count() as u64;
            HandoffGroup {
                looked_at: if has_all { group.count } else { seen.min(group.count) },
                task: group.task,
                producer: group.producer,
                consumer: group.consumer,
                outcome: group.outcome,
                count: group.count,
            }
        })
        .collect();
    let cost = store.client().cost();
    let listed: u64 = groups.iter().map(|group| group.count).sum();
    DatabaseReport {
        handoffs: survey.handoffs,
        looked_at: groups.iter().map(|group| group.looked_at).sum(),
        not_listed: survey.handoffs.saturating_sub(listed),
        groups,
        queue_wait_ms: survey.queue_wait_ms,
        end_to_end_ms: survey.end_to_end_ms,
        retries: survey.retries,
        failures: survey.failures,
        questions: cost.questions,
        read_rows: cost.rows,
        read_bytes: cost.bytes,
        ..std::mem::take(&mut choice.report)
    }
}

/// The report on what was fetched, with what the store counted. Where it is a sample, the
/// figures that people monitor are the store's, and hand-offs that are not whole and were not
/// looked at are unproven.
pub fn report(session: &StoredSession<'_>, database: DatabaseReport) -> Report {
    let mut report = session.report(Listing::default());
    if database.is_sample && database.handoffs > 0 {
        report.metrics.queue_wait_ms = database.queue_wait_ms;
        report.metrics.end_to_end_ms = database.end_to_end_ms;
        report.metrics.retries = database.retries;
        report.metrics.failures = database.failures.clone();
    }
    let unseen = |group: &HandoffGroup| if group.is_whole() { 0 } else { group.count - group.looked_at };
    let count = database.groups.iter().map(unseen).sum::<u64>() + database.not_listed;
    if count > 0 {
        let mut unproven = std::mem::take(&mut report.verdict.unproven);
        unproven.push(Unproven { count, ..NOT_LOOKED_AT });
        report.verdict = Verdict::of(&report.findings, &report.inputs, unproven);
    }
    report.database = Some(database);
    report
}

//! Which traces of a store are fetched, for a time that it is asked for.
//!
//! Where few spans began within it, all their traces are. Otherwise it is a sample: the latest
//! hand-offs of each group that the store counts, and one trace for each kind of span of each
//! service, so that what a service does is not taken for undone. In either case the traces
//! that belong to their hand-offs come too, and all of them come whole.

use std::collections::BTreeSet;

use crate::model::{DatabaseReport, TraceId};
use crate::query::clickhouse::{Extent, Filter, Group, QueryError, Store, Survey, Window};
use crate::wire::otlp::Sink;

/// How much is looked at.
#[derive(Clone, PartialEq, Debug)]
pub struct Selection {
    pub filter: Filter,
    /// How many hand-offs of each group are looked at.
    pub sample: usize,
    /// Up to so many spans within the time, all are fetched.
    pub all_up_to: u64,
}

/// How often traces that belong to others are looked for. A request leads to its runs, and a
/// run to those of tasks that it publishes.
const ROUNDS: usize = 4;
/// The most traces that are fetched. Those of a busy hour are more, and memory keeps them out.
const TRACES: usize = 20_000;
/// The most traces that a sample begins with.
pub(super) const SAMPLED_TRACES: usize = 2_000;
/// How many runs without a publish are looked at, whatever the sample: fewer do not show
/// whether a scheduler, which has no context to send, publishes them at even intervals.
const UNPUBLISHED: usize = 20;

/// The traces of a time, before others that belong to them are looked for.
#[derive(Default, Debug)]
pub(super) struct Chosen {
    pub traces: BTreeSet<TraceId>,
    pub is_sample: bool,
    pub extent: Extent,
    /// What the store counted, if it was asked to.
    pub survey: Survey,
}

/// Whether the store counts hand-offs where no sample needs it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Counting {
    Always,
    ForSamples,
}

/// Chooses the traces of a time.
///
/// # Errors
///
/// [`QueryError`], at the first question that is not answered.
pub(super) fn choose(
    store: &Store<'_>,
    window: &Window,
    Selection { filter, sample, all_up_to }: &Selection,
    counting: Counting,
) -> Result<Chosen, QueryError> {
    let extent = store.extent(window)?;
    let is_all = extent.spans <= *all_up_to;
    let most = (*sample).max(UNPUBLISHED);
    let survey = match counting {
        Counting::Always => store.survey(window, filter, most)?,
        Counting::ForSamples if is_all => Survey::default(),
        Counting::ForSamples => store.handoffs(window, filter, most)?,
    };
    let traces: BTreeSet<TraceId> = if is_all {
        store.traces_within(window, filter, TRACES)?.into_iter().collect()
    } else {
        let mut traces = sampled(&survey, *sample);
        traces.extend(store.trace_of_each_service(window)?);
        traces
    };
    let is_sample = !is_all || !filter.is_empty() || traces.len() >= TRACES;
    Ok(Chosen { traces, is_sample, extent, survey })
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

/// Traces, with those that belong to their hand-offs.
#[derive(Default, Debug)]
pub(super) struct Together {
    pub traces: BTreeSet<TraceId>,
    /// Of these, those that may belong to others which are not among them: nobody looked.
    pub open: BTreeSet<TraceId>,
}

/// Looks for the traces that belong to these, within a time.
///
/// # Errors
///
/// [`QueryError`], at the first question that is not answered.
pub(super) fn together(
    store: &Store<'_>,
    begin: BTreeSet<TraceId>,
    padded: &Window,
) -> Result<Together, QueryError> {
    let (mut traces, mut open) = (begin.clone(), begin);
    for _ in 0..ROUNDS {
        if open.is_empty() || traces.len() >= TRACES {
            break;
        }
        let found = store.partners(&open, padded)?;
        open = found.difference(&traces).copied().take(TRACES - traces.len()).collect();
        traces.extend(&open);
    }
    Ok(Together { traces, open })
}

/// Fetches traces from their first span to their last, and what of them lies within a time.
///
/// # Errors
///
/// [`QueryError`], at the first question that is not answered. What came before has gone to
/// the sink.
pub(super) fn fetch_whole(
    store: &Store<'_>,
    traces: &BTreeSet<TraceId>,
    padded: &Window,
    sink: &mut impl Sink,
) -> Result<(), QueryError> {
    if traces.is_empty() {
        return Ok(());
    }
    let lifetime = store.lifetime(traces)?;
    let within = lifetime.map_or(*padded, |lifetime| lifetime.with(padded));
    store.fetch(traces, &within, sink).map(drop)
}

/// Which store a report is about, and what its tables lack.
pub(super) fn described(store: &Store<'_>) -> DatabaseReport {
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

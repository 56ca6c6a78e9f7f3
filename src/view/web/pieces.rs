//! The page and its pieces, made of what the board holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::feed::{Feed, Phase, State};
use crate::model::{Inputs, LimitCounts, Report, TraceReport, Unproven, Verdict};
use crate::report::html::live::{self, Content, Session, SessionState};
use crate::report::html::{self, Map, QueueRow, When};
use crate::view::board::{Board, KnownFinding, Passage, QueueFigures, Totals};

/// How many passages a page lists at first: the newest.
pub const LISTED: usize = 500;
/// How many findings it lists at first, and how many of these in full. The script asks for
/// the others when somebody opens them.
const FINDINGS: usize = 200;
const IN_FULL: usize = 20;
/// The most bytes of details that are handed out in one answer, if there is room for them.
const DETAILS: usize = 4 << 20;
/// The most spans of a trace that are drawn, if there is room for them; and what each takes.
const SPANS: usize = 10_000;
const SPAN: usize = 1_000;

/// What the board holds at one moment.
struct Held {
    version: u64,
    /// The newest first, as many as a page lists.
    passages: Vec<Arc<Passage>>,
    findings: Vec<KnownFinding>,
    queues: Vec<QueueFigures>,
    totals: Totals,
    limits: LimitCounts,
}

impl Held {
    fn of(board: &Board) -> Self {
        Self {
            version: board.version(),
            passages: board.passages().take(LISTED).cloned().collect(),
            findings: board.findings().cloned().collect(),
            queues: board.queues().to_vec(),
            totals: board.totals(),
            limits: *board.limits(),
        }
    }
}

/// The whole page.
pub fn page(feed: &Feed) -> String {
    let (state, held) = taken(feed);
    let passages: Vec<_> = held.passages.iter().map(|passage| shown(&state, passage)).collect();
    let histories = histories(&held.queues);
    let queues = rows(&state, &held.queues, &histories);
    let (findings, findings_left_out) = findings(feed, &state, &held);
    let content = Content {
        verdict: &verdict(feed, &state, &held),
        findings,
        findings_left_out,
        map: &live::map(&Map::of(passages.iter().copied(), &queues)),
        queues: &live::queues(&queues),
        passages,
    };
    live::page(&session(feed, &state, &held), &content)
}

/// The findings as the page lists them at first, in the order in which they were said, and how
/// many it does not list. The worst are in full; an example takes as long to draw as many
/// entries of the list.
fn findings(feed: &Feed, state: &State, held: &Held) -> (Vec<String>, u64) {
    let mut worst: Vec<_> = held.findings.iter().enumerate().collect();
    worst.sort_by_key(|(place, known)| (known.is_resolved, known.finding.rank(), *place));
    worst.truncate(FINDINGS);
    let in_full: BTreeSet<_> = worst.iter().take(IN_FULL).map(|(place, _)| *place).collect();
    worst.sort_by_key(|(place, _)| *place);
    let drawn = worst.iter().map(|(place, known)| match known {
        known if known.is_resolved || in_full.contains(place) => known_finding(feed, state, known),
        known => live::finding_in_a_line(&known.finding),
    });
    (drawn.collect(), (held.findings.len() - worst.len()) as u64)
}

/// What stands beside the passages and findings, each by a name.
pub fn beside(feed: &Feed) -> [(&'static str, String); 4] {
    let (state, held) = taken(feed);
    let histories = histories(&held.queues);
    let queues = rows(&state, &held.queues, &histories);
    let map = Map::of(held.passages.iter().map(|passage| shown(&state, passage)), &queues);
    [
        ("verdict", verdict(feed, &state, &held)),
        ("queues", live::queues(&queues)),
        ("map", live::map(&map)),
        ("status", live::status(&session(feed, &state, &held))),
    ]
}

/// A passage in the list.
pub fn entry(state: &State, passage: &Passage) -> String {
    live::entry(&shown(state, passage))
}

/// A passage in full; `None` if it is not held. With `all` it has more of the spans of its
/// traces than the board holds.
pub fn detail(feed: &Feed, id: u64, all: bool) -> Option<String> {
    let passage = {
        let board = feed.board().lock();
        let passage = board.passage(id).or_else(|| board.successor(id));
        Arc::clone(passage?)
    };
    let passage = if all { with_all_spans(feed, &passage, &mut most_spans(feed)) } else { passage };
    Some(live::detail(&shown(&feed.state(), &passage)))
}

/// How many spans there is room for in one answer.
fn most_spans(feed: &Feed) -> usize {
    SPANS.min(feed.room() / SPAN)
}

/// The same passage, with as many spans of its traces as there is room `left` for.
fn with_all_spans(feed: &Feed, passage: &Arc<Passage>, left: &mut usize) -> Arc<Passage> {
    let is_whole = |trace: &TraceReport| trace.spans.len() as u64 >= trace.span_count;
    if passage.traces.iter().all(is_whole) {
        *left = left.saturating_sub(passage.traces.iter().map(|trace| trace.spans.len()).sum());
        return Arc::clone(passage);
    }
    let mut whole = Passage::clone(passage);
    for trace in &mut whole.traces {
        if let Some(mut longer) = feed.trace(trace.trace_id, (*left).max(trace.spans.len())) {
            // What was said of a span was said of it as it is on the board.
            let orphans = trace.spans.iter().filter_map(|span| Some((span.span_id, span.orphan.clone()?)));
            let orphans: BTreeMap<_, _> = orphans.collect();
            for span in &mut longer.spans {
                span.orphan = span.orphan.take().or_else(|| orphans.get(&span.span_id).cloned());
            }
            *trace = longer;
        }
        *left = left.saturating_sub(trace.spans.len());
    }
    Arc::new(whole)
}

/// The passages of the list in full, the newest first, as many as fit.
pub fn details(feed: &Feed) -> String {
    let (state, held) = taken(feed);
    in_full(feed, &state, held.passages.into_iter()).0
}

/// All passages, with more of the spans of their traces than the board holds: the newest
/// first, as many as fit. The rest is counted.
pub fn everything(feed: &Feed) -> String {
    let state = feed.state();
    let passages: Vec<_> = feed.board().lock().passages().cloned().collect();
    let (count, mut left) = (passages.len(), most_spans(feed));
    let (mut details, taken) =
        in_full(feed, &state, passages.iter().map(|passage| with_all_spans(feed, passage, &mut left)));
    if taken < count {
        details += &live::left_out((count - taken) as u64);
    }
    details
}

/// As many of these passages as fit, and how many those are.
fn in_full(feed: &Feed, state: &State, passages: impl Iterator<Item = Arc<Passage>>) -> (String, usize) {
    let (mut details, mut taken) = (String::new(), 0);
    for passage in passages {
        let detail = live::detail(&shown(state, &passage));
        if details.len() + detail.len() > DETAILS.min(feed.room()) {
            break;
        }
        details += &detail;
        taken += 1;
    }
    (details, taken)
}

/// A finding by its name in the page; `None` if it is not held.
pub fn finding(feed: &Feed, name: &str) -> Option<String> {
    let is_named = |known: &&KnownFinding| live::finding_name(&known.finding.id) == name;
    let known = feed.board().lock().findings().find(is_named)?.clone();
    Some(known_finding(feed, &feed.state(), &known))
}

pub fn known_finding(feed: &Feed, state: &State, known: &KnownFinding) -> String {
    if known.is_resolved {
        return live::resolved(&known.finding);
    }
    let example = known.example.and_then(|id| {
        let board = feed.board().lock();
        board.passage(id).or_else(|| board.successor(id)).cloned()
    });
    live::finding(
        &known.finding,
        example.as_deref().map(|example| shown(state, example)).as_ref(),
        feed.view(),
    )
}

fn taken(feed: &Feed) -> (State, Held) {
    let state = feed.state();
    let held = Held::of(&feed.board().lock());
    (state, held)
}

fn shown<'p>(state: &State, passage: &'p Passage) -> html::Passage<'p> {
    // Once it has ended, a page may be opened at any time.
    let when = if state.phase == Phase::Listening {
        When::Ago(state.now.saturating_sub(passage.first))
    } else {
        let spans = passage.traces.iter().flat_map(|trace| &trace.spans);
        When::At(spans.map(|span| span.start).min())
    };
    let Passage { id, health, title, services, duration_ms, queue_wait_ms, station, code, .. } = passage;
    html::Passage {
        id: *id,
        came: Some((passage.first, passage.began())),
        health: *health,
        title,
        task: passage.tasks.first().map_or("", String::as_str),
        services,
        duration_ms: *duration_ms,
        queue_wait_ms: *queue_wait_ms,
        when,
        station: *station,
        code: *code,
        findings: &passage.findings,
        traces: &passage.traces,
        handoffs: &passage.handoffs,
    }
}

fn session<'s>(feed: &Feed, state: &'s State, held: &Held) -> Session<'s> {
    Session {
        inputs: &state.origin.inputs,
        broker: state.origin.broker.as_deref(),
        spans: inputs(state, held).spans,
        traces: inputs(state, held).traces,
        handoffs: inputs(state, held).handoffs,
        waiting: held.queues.iter().map(|queue| queue.now.ready).sum(),
        state: match state.phase {
            Phase::Reading { percent } => SessionState::Reading { percent },
            Phase::Judging { since } => SessionState::Judging { since },
            Phase::Listening => SessionState::Listening,
            Phase::Ended => SessionState::Ended,
        },
        sequence: feed.number(held.version),
        left_out: held.totals.passages.saturating_sub(held.passages.len() as u64)
            + held.totals.let_go
            + held.totals.not_shown,
    }
}

/// How much came.
fn inputs(state: &State, held: &Held) -> Inputs {
    match &state.last {
        Some(last) => last.inputs,
        None => Inputs {
            spans: held.totals.spans.max(state.read),
            traces: held.totals.traces,
            handoffs: held.totals.handoffs,
            handoffs_whole: held.totals.handoffs - held.totals.unproven,
            messages: held.queues.iter().map(|queue| queue.now.ready + queue.now.held).sum(),
            ..Inputs::default()
        },
    }
}

/// The last verdict. Until there is one, what follows from what was said so far; nothing is
/// judged for it.
fn verdict(feed: &Feed, state: &State, held: &Held) -> String {
    if let Some(last) = &state.last {
        return live::verdict(last, feed.view());
    }
    let holds = held.findings.iter().filter(|known| !known.is_resolved);
    let mut findings: Vec<_> = holds.map(|known| (*known.finding).clone()).collect();
    findings.sort_by(|one, other| one.rank().cmp(&other.rank()));
    let inputs = inputs(state, held);
    let verdict = Verdict::of(&findings, &inputs, so_far(held).into_iter().collect());
    let limits = held.limits;
    live::verdict(&Report { live: true, inputs, verdict, findings, limits, ..Report::default() }, feed.view())
}

/// Why nothing is called healthy yet.
fn so_far(held: &Held) -> Option<Unproven> {
    let (what, count) = match (held.totals.handoffs, held.totals.unproven) {
        (0, _) => ("no hand-off was seen so far", 0),
        (_, 0) => return None,
        (_, count) => ("not seen whole so far", count),
    };
    Some(Unproven { reason: "so-far", what, count, needs: "what is still to come", command: None })
}

/// The history of each queue, in one piece.
fn histories(queues: &[QueueFigures]) -> Vec<Vec<u64>> {
    queues.iter().map(|queue| queue.history.iter().copied().collect()).collect()
}

/// The queues as of now, or those of the last report if nobody looked at a broker.
fn rows<'q>(state: &'q State, queues: &'q [QueueFigures], histories: &'q [Vec<u64>]) -> Vec<QueueRow<'q>> {
    let row = |(queue, history): (&'q QueueFigures, &'q Vec<u64>)| QueueRow {
        name: &queue.now.name,
        ready: queue.now.ready,
        held: queue.now.held,
        workers: queue.now.workers,
        oldest: queue.now.oldest,
        history,
    };
    match &state.last {
        Some(last) if queues.is_empty() => last.queues.iter().map(QueueRow::from).collect(),
        _ => queues.iter().zip(histories).map(row).collect(),
    }
}

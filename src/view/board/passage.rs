//! A passage: a request with the tasks that it handed over, in one trace or in pieces.

use std::collections::BTreeMap;
use std::time::Duration;

use super::bytes::{of_handoff, of_trace};
use super::findings::{Findings, KnownFinding};
use crate::model::{HandoffReport, Severity, SpanId, Station, StationState, Timestamp, TraceId, TraceReport};
use crate::report::stitched::{Health, Parts, finding_ids, main_handoff, title};
use crate::report::text::{clip, safe};

/// A passage. Its own texts are safe for a terminal; those in its traces and hand-offs are
/// raw.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Passage {
    /// Stays the same as long as the board holds it.
    pub id: u64,
    /// The version of the board at which it changed last.
    pub version: u64,
    pub health: Health,
    /// `POST /orders → process_order`.
    pub title: String,
    /// Its tasks by name, [`Self::NAMES`] at most.
    pub tasks: Vec<String>,
    /// Its services in the order in which they began, [`Self::NAMES`] at most.
    pub services: Vec<String>,
    /// From the first start to the last end of a span.
    pub duration_ms: Option<f64>,
    /// The longest time that a message of it was in a queue.
    pub queue_wait_ms: Option<f64>,
    /// When it first came, and when it changed last, since the session began.
    pub first: Duration,
    pub changed: Duration,
    /// Where on the way the context was lost.
    pub station: Option<Station>,
    /// The code of its worst finding.
    pub code: Option<&'static str>,
    /// The ids of the findings that it shows, the worst first.
    pub findings: Vec<String>,
    /// As the events bring them. What finds no room is counted in `left_out`.
    pub traces: Vec<TraceReport>,
    pub handoffs: Vec<HandoffReport>,
    /// Traces and hand-offs that found no room in it.
    pub left_out: u64,
    /// What a filter looks through, in lower case.
    pub(super) haystack: String,
}

impl Passage {
    /// How many tasks and services it names.
    pub const NAMES: usize = 8;
    /// How many traces and hand-offs it holds, each.
    const MOST: usize = 1_000;
    /// How long its title may be, in characters.
    const TITLE: usize = 200;

    /// When its first span that is known began, by the clock of whoever sent it.
    pub fn began(&self) -> Option<Timestamp> {
        let spans = self.traces.iter().flat_map(|trace| &trace.spans);
        spans.map(|span| span.start).filter(|start| *start != Timestamp::UNSET).min()
    }

    pub const fn is_loud(&self) -> bool {
        matches!(self.health, Health::Damaged | Health::Broken)
    }

    /// Takes what came of it: what it has already of the same trace or attempt is replaced.
    pub(super) fn merge(&mut self, traces: &[TraceReport], handoffs: &[HandoffReport], bound: usize) {
        let mut places: BTreeMap<TraceId, usize> =
            self.traces.iter().enumerate().map(|(place, trace)| (trace.trace_id, place)).collect();
        for trace in traces {
            match places.get(&trace.trace_id) {
                Some(place) => self.traces[*place].clone_from(trace),
                None if self.traces.len() < Self::MOST => {
                    places.insert(trace.trace_id, self.traces.len());
                    self.traces.push(trace.clone());
                }
                None => self.left_out += 1,
            }
        }
        let mut places: BTreeMap<_, usize> =
            self.handoffs.iter().enumerate().map(|(place, handoff)| (attempt_of(handoff), place)).collect();
        for handoff in handoffs {
            match places.get(&attempt_of(handoff)) {
                Some(place) => self.handoffs[*place].clone_from(handoff),
                None if self.handoffs.len() < Self::MOST => {
                    places.insert(attempt_of(handoff), self.handoffs.len());
                    self.handoffs.push(handoff.clone());
                }
                None => self.left_out += 1,
            }
        }
        self.fit(bound);
    }

    /// Leaves out spans, and then traces, until it takes at most `bound` bytes.
    fn fit(&mut self, bound: usize) {
        /// Of a large trace, so many spans stay: about what a person sees of it.
        const SPANS: usize = 32;
        let of_handoffs = |passage: &Self| passage.handoffs.iter().map(of_handoff).sum::<usize>();
        let of_traces = |passage: &Self| passage.traces.iter().map(of_trace).sum::<usize>();
        if of_handoffs(self) + of_traces(self) <= bound {
            return;
        }
        for trace in &mut self.traces {
            trace.complete &= trace.spans.len() <= SPANS;
            trace.spans.truncate(SPANS);
            trace.spans.shrink_to_fit();
        }
        while of_handoffs(self) + of_traces(self) > bound && self.traces.len() + self.handoffs.len() > 2 {
            let (traces, handoffs) = (self.traces.len().div_ceil(2), self.handoffs.len().div_ceil(2));
            self.left_out += (self.traces.len() - traces + self.handoffs.len() - handoffs) as u64;
            self.traces.truncate(traces);
            self.handoffs.truncate(handoffs);
        }
    }

    /// Makes anew what follows from its traces and hand-offs.
    pub(super) fn derive(&mut self, findings: &Findings) {
        let parts = Parts::new(&self.traces, &self.handoffs);
        self.title = clip_safe(title(&parts), Self::TITLE);
        let (mut tasks, mut services) = (Vec::new(), Vec::new());
        for task in self.handoffs.iter().map(|handoff| &handoff.task).filter(|task| !task.is_empty()) {
            add(&mut tasks, task);
        }
        let mut by_start: Vec<_> = self.traces.iter().collect();
        by_start.sort_by_key(|trace| trace.spans.first().map(|span| span.start));
        by_start.iter().flat_map(|trace| &trace.spans).for_each(|span| add(&mut services, &span.service));
        let start = self.traces.iter().flat_map(|trace| &trace.spans).map(|span| span.start).min();
        let spans = self.traces.iter().flat_map(|trace| &trace.spans);
        self.duration_ms = start.map(|start| {
            spans.map(|span| span.start.millis_since(start) + span.duration_ms).fold(0.0, f64::max)
        });
        let waits = self.handoffs.iter().filter_map(|handoff| handoff.queue_wait_ms);
        self.queue_wait_ms = waits.max_by(f64::total_cmp);
        (self.tasks, self.services) = (tasks, services);
        self.judge(findings);
    }

    /// Makes anew what follows from the findings that hold.
    pub(super) fn judge(&mut self, findings: &Findings) {
        self.health = Health::of(&self.traces, &self.handoffs, |id| findings.severity(id));
        let mut ids: Vec<_> = finding_ids(&self.traces, &self.handoffs).into_iter().collect();
        ids.sort_by_key(|id| (findings.severity(id).is_none(), findings.severity(id), *id));
        let worst = ids.iter().find_map(|id| findings.get(id).filter(|known| !known.is_resolved));
        self.code = worst.map(|known| known.finding.code);
        let broken = main_handoff(&self.handoffs).and_then(|handoff| {
            let is_broken = |station: &Station| handoff.stations.get(*station) == StationState::Broken;
            Station::ALL.into_iter().find(is_broken)
        });
        let of_finding = worst.and_then(|known| known.finding.station);
        self.station = broken.or(of_finding).filter(|_| worst.is_some_and(is_told));
        self.findings = ids.into_iter().map(str::to_owned).collect();
        let codes = self.findings.iter().filter_map(|id| findings.get(id)).map(|known| known.finding.code);
        let ids = self.traces.iter().map(|trace| trace.trace_id.to_string());
        let tasks = self.handoffs.iter().map(|handoff| safe(&handoff.task_id));
        let words = [&self.title].into_iter().chain(&self.tasks).chain(&self.services).chain(&self.findings);
        let words: Vec<_> = words.cloned().chain(codes.map(str::to_owned)).chain(ids).chain(tasks).collect();
        self.haystack = words.join("\n").to_lowercase();
    }

    /// About how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        let names = self.tasks.iter().chain(&self.services).chain(&self.findings);
        let names = names.map(|name| size_of::<String>() + name.len()).sum::<usize>();
        size_of::<Self>()
            + self.title.len()
            + self.haystack.len()
            + names
            + self.traces.iter().map(of_trace).sum::<usize>()
            + self.handoffs.iter().map(of_handoff).sum::<usize>()
    }
}

/// What tells one hand-off from another. A hand-made run has no task id.
fn attempt_of(handoff: &HandoffReport) -> (String, u32, Option<SpanId>) {
    let run = handoff.consumers.first().filter(|_| handoff.task_id.is_empty()).map(|(_, run)| *run);
    (handoff.task_id.clone(), handoff.attempt, run)
}

fn is_told(known: &KnownFinding) -> bool {
    known.finding.severity < Severity::Note
}

/// Adds the safe form of a name, once.
fn add(names: &mut Vec<String>, name: &str) {
    /// How long a name may be, in characters.
    const LETTERS: usize = 100;
    if names.len() == Passage::NAMES {
        return;
    }
    let name = clip(name, LETTERS);
    if !names.contains(&name) {
        names.push(name);
    }
}

/// At most so many characters of a text that is safe.
fn clip_safe(text: String, letters: usize) -> String {
    match text.char_indices().nth(letters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

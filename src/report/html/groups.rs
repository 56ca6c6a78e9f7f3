//! The passages of a finished report: what belongs together of its hand-offs and traces.

use std::collections::{BTreeMap, BTreeSet};

use super::passage::{Passage, When};
use crate::model::{HandoffReport, Report, Severity, Station, StationState, Timestamp, TraceId, TraceReport};
use crate::report::stitched::{Health, Parts, finding_ids, main_handoff, title};

/// What belongs together: traces between which something was handed over, and their
/// hand-offs.
pub(super) struct Group {
    health: Health,
    title: String,
    task: String,
    services: Vec<String>,
    duration_ms: Option<f64>,
    queue_wait_ms: Option<f64>,
    when: When,
    station: Option<Station>,
    code: Option<&'static str>,
    findings: Vec<String>,
    traces: Vec<TraceReport>,
    handoffs: Vec<HandoffReport>,
}

impl Group {
    /// All passages of a report, the newest first.
    pub(super) fn all(report: &Report) -> Vec<Self> {
        let groups = groups(report).into_iter().rev();
        groups.map(|(traces, handoffs)| Self::of(traces, handoffs, report)).collect()
    }

    fn of(traces: Vec<TraceReport>, handoffs: Vec<HandoffReport>, report: &Report) -> Self {
        let known = |id: &str| report.findings.iter().find(|finding| finding.id == id);
        let ids: Vec<_> =
            finding_ids(&traces, &handoffs).into_iter().filter(|id| known(id).is_some()).collect();
        let worst = ids.iter().filter_map(|id| known(id)).min_by_key(|finding| finding.severity);
        let worst = worst.filter(|finding| finding.severity < Severity::Note);
        let main = main_handoff(&handoffs);
        let broken_at = main.and_then(|main| {
            Station::ALL.into_iter().find(|station| main.stations.get(*station) == StationState::Broken)
        });
        let spans = || traces.iter().flat_map(|trace| &trace.spans);
        let start = started(&traces);
        let end = start.map(|start| {
            spans().map(|span| span.start.millis_since(start) + span.duration_ms).fold(0.0, f64::max)
        });
        let mut services: Vec<String> = Vec::new();
        let mut by_start: Vec<_> = spans().collect();
        by_start.sort_by_key(|span| span.start);
        for span in by_start {
            if services.len() < SERVICES && !services.contains(&span.service) {
                services.push(span.service.clone());
            }
        }
        Self {
            health: Health::of(&traces, &handoffs, |id| known(id).map(|finding| finding.severity)),
            title: title(&Parts::new(&traces, &handoffs)),
            task: main.map(|main| main.task.clone()).unwrap_or_default(),
            services,
            duration_ms: end,
            queue_wait_ms: main.and_then(|main| main.queue_wait_ms),
            when: When::At(start),
            station: worst.and_then(|finding| finding.station.or(broken_at)),
            code: worst.map(|finding| finding.code),
            findings: ids.into_iter().map(str::to_owned).collect(),
            traces,
            handoffs,
        }
    }

    /// It as an entry of the page.
    pub(super) fn passage(&self, id: u64) -> Passage<'_> {
        Passage {
            id,
            came: None,
            health: self.health,
            title: &self.title,
            task: &self.task,
            services: &self.services,
            duration_ms: self.duration_ms,
            queue_wait_ms: self.queue_wait_ms,
            when: self.when,
            station: self.station,
            code: self.code,
            findings: &self.findings,
            traces: &self.traces,
            handoffs: &self.handoffs,
        }
    }
}

/// What belongs together of a report: traces between which something was handed over, with
/// their hand-offs. The oldest come first.
pub fn groups(report: &Report) -> Vec<(Vec<TraceReport>, Vec<HandoffReport>)> {
    let mut sets = Sets::new(report);
    let listed: BTreeSet<_> = report.traces.iter().map(|trace| trace.trace_id).collect();
    let mut groups: BTreeMap<usize, (Vec<TraceReport>, Vec<HandoffReport>)> = BTreeMap::new();
    for trace in &report.traces {
        groups.entry(sets.of_trace(trace.trace_id)).or_default().0.push(trace.clone());
    }
    for (place, handoff) in report.handoffs.iter().enumerate() {
        let set = match ends(handoff).find(|trace| listed.contains(trace)) {
            Some(trace) => sets.of_trace(trace),
            // No span of it is listed: it stands alone, in a set of its own below all others.
            None => place,
        };
        groups.entry(set).or_default().1.push(handoff.clone());
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by_cached_key(|(traces, _)| started(traces));
    groups
}

fn started(traces: &[TraceReport]) -> Option<Timestamp> {
    traces.iter().flat_map(|trace| &trace.spans).map(|span| span.start).min()
}

/// How many services of one passage are told apart.
const SERVICES: usize = 32;

/// The traces that a hand-off takes part in.
fn ends(handoff: &HandoffReport) -> impl Iterator<Item = TraceId> {
    handoff.producer.iter().chain(&handoff.consumers).map(|(trace, _)| *trace)
}

/// Which traces belong together: a union of sets
/// (<https://en.wikipedia.org/wiki/Disjoint-set_data_structure>).
struct Sets {
    places: BTreeMap<TraceId, usize>,
    parents: Vec<usize>,
    handoffs: usize,
}

impl Sets {
    fn new(report: &Report) -> Self {
        let mut sets = Self { places: BTreeMap::new(), parents: Vec::new(), handoffs: report.handoffs.len() };
        for trace in &report.traces {
            sets.place(trace.trace_id);
        }
        for handoff in &report.handoffs {
            let mut ends = ends(handoff);
            let Some(first) = ends.next() else { continue };
            let first = sets.place(first);
            for other in ends {
                let other = sets.place(other);
                let (first, other) = (sets.root(first), sets.root(other));
                sets.parents[other] = first;
            }
        }
        sets
    }

    fn place(&mut self, trace: TraceId) -> usize {
        let next = self.parents.len();
        let place = *self.places.entry(trace).or_insert(next);
        if place == next {
            self.parents.push(next);
        }
        place
    }

    fn root(&mut self, mut place: usize) -> usize {
        while self.parents[place] != place {
            self.parents[place] = self.parents[self.parents[place]];
            place = self.parents[place];
        }
        place
    }

    /// The set of a trace.
    fn of_trace(&mut self, trace: TraceId) -> usize {
        let place = self.place(trace);
        self.handoffs + self.root(place)
    }
}

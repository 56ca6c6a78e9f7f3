//! Judges one thing at a time: a trace, a task's hand-offs, a population. Findings are
//! grouped as they come.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::figures::Figures;
use super::findings::Findings;
use super::stations;
use super::unproven::UnprovenReason;
use crate::diagnosis::known::Known;
use crate::diagnosis::occurrence::Occurrence;
use crate::diagnosis::registry::{OTHERS, SPEAKING_ORDER, of_orphan};
use crate::diagnosis::rule::{Check, Diagnosis, Judgment, Tally};
use crate::evidence::{Broker, Continuity, Handoff, Task, Trace};
use crate::model::{Confidence, Severity, Station, Stations, TraceId};

/// One hand-off, and its findings.
#[derive(Debug)]
pub struct JudgedHandoff<'e> {
    pub handoff: Handoff<'e>,
    pub stations: Stations,
    /// The id of the finding that explains it.
    pub finding: Option<String>,
    /// What it lacks to be called whole, if no finding at warning or above explains it.
    pub unproven: Option<UnprovenReason>,
    /// The ids of its further findings.
    pub remarks: Vec<String>,
    /// Whether it has a finding at warning or above.
    pub is_faulty: bool,
}

/// Judges, and collects what was found.
pub(super) struct Judge<'k, 'e> {
    known: &'k Known<'e>,
    pub findings: Findings,
    pub figures: Figures,
    /// Traces with findings, and the ids of those findings.
    pub traces: BTreeMap<TraceId, BTreeSet<String>>,
    /// Tasks whose hand-made consumer roots are explained by a finding.
    explained: BTreeSet<&'e str>,
    /// Of the findings of traces the gravest, by the task ids of the runs that they concern.
    by_trace: BTreeMap<String, OfTrace>,
}

/// A finding of a trace. The lesser one explains a hand-off, in whatever order they came.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct OfTrace {
    severity: Severity,
    /// Among equals the one that is checked last.
    place: Reverse<usize>,
    id: String,
    station: Option<Station>,
}

/// What the findings of hand-offs explain so far, apart from those of this judge.
pub(super) struct Explained<'x> {
    /// Whether one covers the hand-offs of a task of this name.
    pub task: &'x dyn Fn(&str) -> bool,
    /// Whether there is any.
    pub any: bool,
}

/// For how many traces the ids of their findings are kept.
const MARKED: usize = 1_000;

impl<'k, 'e> Judge<'k, 'e> {
    /// Goes on from earlier conclusions.
    pub fn new(known: &'k Known<'e>, findings: Findings, figures: Figures) -> Self {
        Self {
            known,
            findings,
            figures,
            traces: BTreeMap::new(),
            explained: BTreeSet::new(),
            by_trace: BTreeMap::new(),
        }
    }

    fn mark(&mut self, trace: TraceId, finding: &str) {
        if self.traces.len() < MARKED || self.traces.contains_key(&trace) {
            self.traces.entry(trace).or_default().insert(finding.to_owned());
        }
    }

    /// Judges a trace, and returns the ids of its findings.
    pub fn trace(&mut self, trace: &'e Trace) -> BTreeSet<String> {
        let mut said = BTreeSet::new();
        self.count_trace(trace);
        if trace.is_remnant() || self.known.evidence.unsettled().has_trace(trace.id) {
            return said;
        }
        for (place, diagnosis) in OTHERS.iter().enumerate() {
            let Check::Trace(check) = diagnosis.check else { continue };
            check(trace, self.known, &mut |occurrence| {
                let about: Vec<_> = occurrence.handoffs.iter().cloned().collect();
                let severity = occurrence.severity.unwrap_or(diagnosis.severity);
                let id = self.findings.add(diagnosis, occurrence);
                let station = diagnosis.station;
                let of_trace = OfTrace { severity, place: Reverse(place), id: id.clone(), station };
                for task in about {
                    let known = self.by_trace.entry(task).or_insert_with(|| of_trace.clone());
                    if of_trace < *known {
                        known.clone_from(&of_trace);
                    }
                }
                said.insert(id);
            });
        }
        said.iter().for_each(|id| self.mark(trace.id, id));
        said
    }

    /// Adds a trace to the figures without judging it.
    pub fn count_trace(&mut self, trace: &Trace) {
        if !trace.is_remnant() {
            self.figures.saw_trace(trace);
        }
    }

    /// Adds a task to the figures, and returns its hand-offs. If a part of the task was let
    /// go, the rest has none: it says nothing about what is gone, which was counted when it
    /// went.
    pub fn count_task(&mut self, task: &'e Task) -> Vec<Handoff<'e>> {
        let handoffs = task.handoffs(self.known.evidence);
        if handoffs.iter().any(|handoff| handoff.is_remnant) {
            return Vec::new();
        }
        self.figures.saw_task(&handoffs);
        // A database that holds nothing of Celery's is the wrong one: its emptiness does
        // not mean that messages were taken from it before a look.
        if self.known.evidence.brokers.iter().any(Broker::holds_anything) {
            let unseen = handoffs.iter().filter(|handoff| handoff.delivery.is_none());
            self.figures.unseen_messages += unseen.count() as u64;
        }
        handoffs
    }

    /// Counts the hand-offs of a task that is let go without findings. If they have
    /// settled, nothing is wrong with them.
    pub fn pass(&mut self, task: &'e Task, has_settled: bool) -> u64 {
        let handoffs = self.count_task(task);
        for handoff in &handoffs {
            let unproven = if has_settled {
                UnprovenReason::of(handoff, self.known)
            } else {
                UnprovenReason::LetGo.unless_whole(handoff, self.known)
            };
            self.figures.proof.saw(unproven, handoff.alike);
        }
        handoffs.len() as u64
    }

    /// Judges each hand-off of a task.
    pub fn task(&mut self, task: &'e Task, each: &mut dyn FnMut(JudgedHandoff<'e>)) {
        let doubt = self.known.evidence.doubts(task).then(|| self.why_doubted(task));
        for mut handoff in self.count_task(task) {
            handoff.candidate_runs = self.known.orphans().candidate_runs(&handoff);
            each(match doubt {
                None => self.handoff(handoff),
                Some(reason) => self.doubted(handoff, reason),
            });
        }
    }

    /// Why nothing is concluded from what a task lacks.
    fn why_doubted(&self, task: &Task) -> UnprovenReason {
        let evidence = self.known.evidence;
        // A store is asked once, or watched: then what has not settled is still to come.
        let is_watched = !evidence.settling_time().is_zero();
        match () {
            // With holes nothing is known to be complete, whether a watch ended or not.
            () if evidence.has_holes() => UnprovenReason::EvidenceMissing,
            () if evidence.lies_outside(task) => UnprovenReason::NotFetched,
            () if evidence.was_asked_for() && !is_watched => UnprovenReason::NotFetched,
            () => UnprovenReason::NotSettled,
        }
    }

    /// Counts a hand-off that may not be complete. It gets no finding.
    fn doubted(&mut self, handoff: Handoff<'e>, reason: UnprovenReason) -> JudgedHandoff<'e> {
        let unproven = reason.unless_whole(&handoff, self.known);
        self.figures.proof.saw(unproven, handoff.alike);
        let stations = stations::of(&handoff, self.known, None);
        JudgedHandoff { handoff, stations, finding: None, unproven, is_faulty: false, remarks: Vec::new() }
    }

    /// Judges one hand-off.
    pub fn handoff(&mut self, handoff: Handoff<'e>) -> JudgedHandoff<'e> {
        let mut finding = None;
        let mut broken = None;
        let mut is_faulty = false;
        if let Some((diagnosis, occurrence)) = speaker(&handoff, self.known) {
            let severity = occurrence.severity.unwrap_or(diagnosis.severity);
            broken = diagnosis.station.filter(|_| severity == Severity::Error);
            is_faulty = severity <= Severity::Warning;
            if severity == Severity::Error {
                let is_root = handoff.continuity() == Some(Continuity::Orphaned);
                self.figures.broken += handoff.alike;
                self.figures.orphaned_roots += u64::from(is_root);
            }
            // A note about a waiting message says nothing about runs that exist.
            let is_of_orphan =
                handoff.continuity() == Some(Continuity::Orphaned) || !handoff.candidate_runs.is_empty();
            if !handoff.task.is_empty() && (is_faulty || is_of_orphan) {
                self.explained.insert(handoff.task);
            }
            let id = self.findings.add(diagnosis, occurrence);
            let spans =
                handoff.producer.iter().chain(&handoff.consumers).chain(handoff.candidate_runs.first());
            let traces = spans.map(|found| found.trace.id);
            for trace in traces.chain(handoff.contexts().map(|context| context.trace_id)) {
                self.mark(trace, &id);
            }
            finding = Some(id);
        }
        if finding.is_none()
            && let Some(of_trace) = self.by_trace.get(handoff.task_id)
        {
            finding = Some(of_trace.id.clone());
            broken = of_trace.station;
            is_faulty = true;
        }
        let mut unproven = None;
        if !is_faulty {
            unproven = UnprovenReason::of(&handoff, self.known);
            self.figures.proof.saw(unproven, handoff.alike);
        }
        let mut remarks = Vec::new();
        for diagnosis in OTHERS {
            let Check::Remark(check) = diagnosis.check else { continue };
            if let Judgment::Finding(occurrence) = check(&handoff, self.known) {
                remarks.push(self.findings.add(diagnosis, *occurrence));
            }
        }
        let stations = stations::of(&handoff, self.known, broken);
        JudgedHandoff { handoff, stations, finding, unproven, remarks, is_faulty }
    }

    /// Judges the hand-made consumer roots that no hand-off explains, in the traces that
    /// are due.
    pub fn orphans(&mut self, before: &Explained<'_>, is_due: impl Fn(&Trace) -> bool) {
        let known = self.known;
        let tasks: BTreeSet<_> = known.orphans().tasks().collect();
        let unexplained = tasks
            .into_iter()
            .filter(|task| !self.explained.contains(task) && !(before.task)(task))
            .flat_map(|task| known.orphans().of_task(task));
        let batches = known
            .orphans()
            .unlinked_batches()
            .filter(|(task, _)| !self.explained.contains(task) && !(before.task)(task))
            .flat_map(|(_, runs)| runs);
        let unexplained = unexplained.chain(batches);
        let is_any_explained = before.any || !self.explained.is_empty();
        let nameless = if is_any_explained { &[] } else { known.orphans().nameless() };
        // What would explain it may have been let go.
        let may_be_a_rest = |trace: &Trace| trace.is_remnant() || trace.age.is_late;
        let is_judged = |trace: &Trace| is_due(trace) && !may_be_a_rest(trace);
        let all: Vec<_> =
            unexplained.chain(nameless).filter(|orphan| is_judged(orphan.trace)).copied().collect();
        for orphan in all {
            let (diagnosis, occurrence) = of_orphan(orphan, known);
            let id = self.findings.add(diagnosis, occurrence);
            self.figures.orphaned_roots += 1;
            self.mark(orphan.trace.id, &id);
        }
    }

    /// Judges the number of hand-offs.
    pub fn tally(&mut self, tally: &Tally) {
        for diagnosis in OTHERS {
            if let Check::Tally(check) = diagnosis.check
                && let Some(occurrence) = check(tally)
            {
                self.findings.add(diagnosis, occurrence);
            }
        }
    }

    /// Judges services, queues, origins and the receiver as wholes.
    pub fn populations(&mut self) {
        for diagnosis in OTHERS {
            if let Check::Population(check) = diagnosis.check {
                check(self.known, &mut |occurrence| {
                    self.findings.add(diagnosis, occurrence);
                });
            }
        }
    }
}

/// The first of the hand-off diagnoses that sees a cause. If none does, or only as a hint,
/// the first that predicts one.
pub(super) fn speaker(handoff: &Handoff<'_>, known: &Known<'_>) -> Option<(&'static Diagnosis, Occurrence)> {
    let mut predicted = None;
    for diagnosis in SPEAKING_ORDER {
        let Check::Handoff(check) = diagnosis.check else { continue };
        match check(handoff, known) {
            Judgment::Clean => {}
            Judgment::Wait => break,
            Judgment::Finding(occurrence) if occurrence.is_prediction => {
                predicted.get_or_insert((*diagnosis, *occurrence));
            }
            Judgment::Finding(occurrence) => {
                let severity = occurrence.severity.unwrap_or(diagnosis.severity);
                let is_hint = severity == Severity::Note && occurrence.confidence == Confidence::Possible;
                let seen = Some((*diagnosis, *occurrence));
                return if is_hint { predicted.or(seen) } else { seen };
            }
        }
    }
    predicted
}

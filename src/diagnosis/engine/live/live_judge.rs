//! Judges while evidence comes in. What has settled is judged, and judged again when
//! something new comes for it; findings that no longer hold are taken back.
//!
//! A round looks only at what came since the last one, and at some of the restless units,
//! so the cost of a span does not depend on how many are held. When memory is full, whole
//! groups go, the oldest settled ones first, and their conclusions stay in a
//! [`Conclusions`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::handoff_counts::{HandoffCounts, Judgement};
use super::open_findings::OpenFindings;
use super::opinion::{UnitSaid, opinion};
use super::pace::Pace;
use crate::diagnosis::engine::conclusions::Conclusions;
use crate::diagnosis::engine::figures::Figures;
use crate::diagnosis::engine::findings::Findings;
use crate::diagnosis::engine::judge::{Explained, Judge};
use crate::diagnosis::engine::report::{self, Listing};
use crate::diagnosis::known::Known;
use crate::evidence::{Bounds, ClosedTraces, Evidence, Group, Moment, Task, Unit};
use crate::model::{Event, Finding, HandoffReport, LimitCounts, Report, Set, TraceId, TraceReport};

/// Evidence that is watched as it grows, and its findings.
#[derive(Debug)]
pub struct LiveJudge {
    pub evidence: Evidence,
    pub(super) past: Conclusions,
    pub(super) open_findings: OpenFindings,
    pub(super) settle: Duration,
    pub(super) bounds: Bounds,
    /// When the watch ended. Nothing that comes from then on is waited for.
    pub(super) ended: Option<Moment>,
    /// When each request that is being read began, by its number.
    pub(super) being_taken: BTreeMap<u32, Moment>,
    /// How many whole hand-offs are expected at the end.
    pub(super) expected: Option<u64>,
    /// From how many [growing](Evidence::growing) bytes on there may be too little room.
    pub(super) look_at: usize,
    /// How many bytes were let go since everything was [swept](Evidence::sweep).
    pub(super) unswept: usize,
    /// Whether letting go took a pass over all that is held.
    pub(super) looked_at_all: bool,
    /// Which limits were reported.
    pub(super) told_limits: [bool; 7],
    /// Groups that were due and not shown, because there were too many.
    pub(super) not_shown: u64,
    /// Counted where somebody monitors them.
    pub(super) counts: Option<Box<HandoffCounts>>,
}

/// A group that is due to be judged.
struct Due {
    group: Group,
    /// Whether to show it: it became whole, settled, or changed since.
    is_news: bool,
}

/// The findings of a group.
struct Opinion {
    group: Group,
    said: Vec<UnitSaid>,
}

/// An example of what a cause did.
type Example = (Vec<HandoffReport>, Vec<TraceReport>);

/// What came of the groups of one round.
struct RoundJudged {
    opinions: Vec<Opinion>,
    /// An example of each new cause, by the id of its finding.
    examples: BTreeMap<String, Example>,
    /// The traces to show.
    shown: Vec<Event>,
    /// Every hand-off, where they are counted.
    judgements: Vec<Judgement>,
}

impl LiveJudge {
    /// `settle` is how long nothing may come for a trace or task before what it lacks is
    /// reported as absent. `bounds` says how much may be held.
    pub fn new(settle: Duration, bounds: Bounds) -> Self {
        let mut evidence = Evidence::default();
        evidence.watch(&bounds);
        evidence.settle_after(settle);
        Self {
            evidence,
            past: Conclusions::default(),
            open_findings: OpenFindings::new(bounds.findings),
            settle,
            bounds,
            ended: None,
            being_taken: BTreeMap::new(),
            expected: None,
            look_at: 0,
            unswept: usize::MAX,
            looked_at_all: false,
            told_limits: [false; 7],
            not_shown: 0,
            counts: None,
        }
    }

    /// Of evidence from files: nothing settles by time, as there is no clock. What is
    /// whole may be let go.
    pub fn of_files(bounds: Bounds) -> Self {
        let mut judge = Self::new(Duration::MAX, bounds);
        judge.evidence.settle_after(Duration::ZERO);
        judge.evidence.ignore_clock();
        judge
    }

    /// Expects this many whole hand-offs by the end: fewer are a finding of the report.
    pub fn expect_handoffs(&mut self, number: Option<u64>) {
        self.expected = number;
    }

    /// Counts the hand-offs that are judged from now on.
    pub fn count_handoffs(&mut self) {
        self.counts.get_or_insert_default();
    }

    /// The hand-offs that were counted, if they are.
    pub fn handoff_counts(&self) -> Option<&HandoffCounts> {
        self.counts.as_deref()
    }

    /// Sets the time of whatever comes next. It never runs backwards.
    pub fn set_time(&mut self, now: Moment) {
        self.evidence.set_time(now);
    }

    /// Judges what has settled by `now` and what has become whole, and returns the events.
    pub fn round(&mut self, now: Moment, pace: Pace) -> Vec<Event> {
        self.set_time(now);
        let limit = self.settled_by(self.ended.unwrap_or(now));
        let mut due = self.due(limit, pace.work);
        // More may be on its way for what has changed since it was judged.
        let mut again: BTreeSet<_> = self.open_findings.restless(pace.again).into_iter().collect();
        // What this round judges anyway would be counted twice.
        for unit in due.iter().flat_map(|due| due.group.units()) {
            again.remove(&unit);
        }
        again.retain(|unit| {
            limit.is_some_and(|limit| self.evidence.touched(&self.evidence.group_of(unit)) <= limit)
        });
        due.extend(again.into_iter().map(|unit| Due { group: Group::alone(unit), is_news: false }));
        let RoundJudged { opinions, examples, shown, judgements } = self.judge(due, pace);
        if let Some(counts) = &mut self.counts {
            judgements.iter().for_each(|judgement| counts.count(judgement, &mut self.evidence.tasks));
        }
        if pace.thorough {
            self.say_of_populations();
        }
        for Opinion { group, said } in opinions {
            for (unit, ids, open) in said {
                self.open_findings.say(unit, ids, open);
            }
            group.units().for_each(|unit| self.evidence.settle(unit));
        }
        let mut events = self.tell(examples);
        events.extend(shown);
        events
    }

    /// What was last touched before this moment has settled by `now`. While a request is
    /// being read, nothing that came since it began has settled: the rest of the request
    /// may belong to it.
    pub(super) fn settled_by(&self, now: Moment) -> Option<Moment> {
        const INSTANT: Duration = Duration::from_millis(1);
        let limit = now.before(self.settle)?;
        match self.being_taken.values().min() {
            Some(began) => began.before(INSTANT).map(|before| limit.min(before)),
            None => Some(limit),
        }
    }

    /// How many units may be looked at in a line for each piece of [work](Pace::work): most
    /// of a line may be of what was let go or judged since, and a round holds the lock.
    const LOOKS_FOR_WORK: usize = 8;

    /// The groups that became whole, and those for which nothing came since `limit`, up to
    /// this much work.
    fn due(&mut self, limit: Option<Moment>, most: usize) -> Vec<Due> {
        let mut due = Vec::new();
        let (mut seen, mut settled) = (Set::default(), Set::default());
        let mut work = 0;
        let mut closed = ClosedTraces::default();
        let mut looks = most.saturating_mul(Self::LOOKS_FOR_WORK);
        while work < most
            && looks > 0
            && let Some(unit) = self.evidence.pop_fresh()
        {
            looks -= 1;
            if seen.contains(&unit) || !self.evidence.is_due_early(&unit) {
                continue;
            }
            let mut group = self.evidence.group_of(&unit);
            seen.extend(group.units());
            seen.insert(unit);
            work += 1;
            if self.evidence.is_whole(&group, &mut closed) {
                self.evidence.leave_out_judged(&mut group);
                group.claim(&mut settled);
                work += self.evidence.work(&group);
                due.push(Due { group, is_news: true });
            }
        }
        let Some(limit) = limit else { return due };
        let mut early = Vec::new();
        while work < most
            && let Some(unit) = self.evidence.next_settled(limit, &mut looks)
        {
            if settled.contains(&unit) {
                continue;
            }
            let mut group = self.evidence.group_of(&unit);
            work += 1;
            if self.evidence.touched(&group) > limit {
                // The other side of a hand-off still changes.
                early.push(unit);
                continue;
            }
            self.evidence.leave_out_judged(&mut group);
            group.claim(&mut settled);
            work += self.evidence.work(&group);
            due.push(Due { group, is_news: true });
        }
        early.into_iter().for_each(|unit| self.evidence.wait(unit));
        due
    }

    fn judge(&mut self, due: Vec<Due>, pace: Pace) -> RoundJudged {
        let evidence = &self.evidence;
        let known = Known::live(evidence, evidence.clock());
        let mut judging = Judge::new(&known, Findings::default(), Figures::default());
        let mut opinions = Vec::with_capacity(due.len());
        let mut examples = BTreeMap::new();
        let mut shown = Vec::new();
        let mut judgements = Vec::new();
        for Due { group, is_news } in due {
            let (said, handoffs) = opinion(&group, &mut judging, evidence);
            if self.counts.is_some() {
                judgements.extend(handoffs.iter().map(|judged| Judgement::of(judged, &judging.findings)));
            }
            for judged in &handoffs {
                let new = judged
                    .finding
                    .iter()
                    .chain(&judged.remarks)
                    .filter(|id| !self.open_findings.was_told(id));
                for id in new {
                    examples.entry(id.clone()).or_insert_with(|| report::example(judged, &judging.traces));
                }
            }
            if is_news && !group.traces.is_empty() {
                let is_full = shown.len() >= pace.shown;
                self.not_shown += u64::from(is_full);
                // What is broken takes the place of what is not.
                let is_broken = handoffs.iter().any(|judged| judged.finding.is_some());
                let gives_way = |(_, shown): &(_, Vec<HandoffReport>)| {
                    shown.iter().all(|handoff| handoff.finding.is_none())
                };
                if is_full
                    && is_broken
                    && let Some(place) = shown.iter().position(gives_way)
                {
                    shown.remove(place);
                }
                if shown.len() < pace.shown {
                    shown.push((group.traces.clone(), report::handoff_reports(&handoffs)));
                }
            }
            opinions.push(Opinion { group, said });
        }
        let mut events = Vec::with_capacity(shown.len());
        for (traces, handoffs) in shown {
            let listed = traces.iter().filter_map(|id| evidence.spans.trace(*id));
            let reports = listed.map(|trace| {
                let findings = judging.traces.get(&trace.id);
                report::trace_report(trace, findings, Listing::default().spans)
            });
            events.push(Event::Traces { traces: reports.collect(), handoffs });
        }
        judging.findings.iter().for_each(|finding| self.open_findings.word(finding));
        RoundJudged { opinions, examples, shown: events, judgements }
    }

    /// Judges populations, and returns the events. It costs as much as is held, so callers
    /// that share the judge let others in between this and a round.
    pub fn judge_populations(&mut self) -> Vec<Event> {
        self.say_of_populations();
        self.tell(BTreeMap::new())
    }

    fn say_of_populations(&mut self) {
        let evidence = &self.evidence;
        let known = Known::live(evidence, evidence.clock());
        let mut judging = Judge::new(&known, Findings::default(), Figures::default());
        let open_findings = &self.open_findings;
        let before =
            Explained { task: &|task| open_findings.explains(task), any: open_findings.explains_any() };
        judging.orphans(&before, |trace| known.traces().has_settled(trace));
        judging.populations();
        judging.findings.iter().for_each(|finding| self.open_findings.word(finding));
        self.open_findings.say_of_all(judging.findings.iter().map(|finding| finding.id.clone()));
    }

    fn tell(&mut self, mut examples: BTreeMap<String, Example>) -> Vec<Event> {
        let (new, gone) = self.open_findings.news();
        let mut events: Vec<_> = gone.into_iter().map(|finding| Event::Resolved(Box::new(finding))).collect();
        for finding in new {
            let (handoffs, traces) = examples.remove(&finding.id).unwrap_or_default();
            events.push(Event::Finding { finding: Box::new(finding), handoffs, traces });
        }
        let limits = self.limits();
        let reached = [
            limits.evicted_traces,
            limits.evicted_spans,
            limits.forgotten_marks,
            limits.rejected_spans,
            limits.evicted_looks,
            limits.names_not_kept,
            limits.findings_not_kept,
        ]
        .map(|count| count > 0);
        // Each kind once.
        if reached.iter().zip(&self.told_limits).any(|(reached, told)| *reached && !told) {
            self.told_limits = reached;
            events.push(Event::Limit(limits));
        }
        events
    }

    /// The ids of the tasks whose final result is not known.
    pub fn unfinished(&self) -> Vec<String> {
        let tasks = self.evidence.tasks.iter();
        let is_open = |task: &&Task| task.result.as_ref().is_none_or(|result| !result.status.is_final());
        tasks.filter(is_open).map(|task| task.id.to_string()).collect()
    }

    /// Whether nothing is open: every hand-off is whole or has settled.
    pub fn is_at_rest(&self) -> bool {
        self.being_taken.is_empty() && self.evidence.is_at_rest() && !self.open_findings.is_open()
    }

    /// How many groups were due and not shown since the last call.
    pub fn take_not_shown(&mut self) -> u64 {
        std::mem::take(&mut self.not_shown)
    }

    /// The report on everything, whether it has settled or not.
    pub fn report(&self, listing: Listing) -> Report {
        let mut report =
            report::report_with(&self.evidence, &self.past, self.evidence.clock(), listing, self.expected);
        report.limits.findings_not_kept = self.open_findings.not_kept();
        report
    }

    /// What was let go, left out or refused, so far.
    fn limits(&self) -> LimitCounts {
        LimitCounts { findings_not_kept: self.open_findings.not_kept(), ..report::limits(&self.evidence) }
    }

    /// One trace with up to `most` of its spans, as an event would report it now; `None` if
    /// it is not held.
    pub fn trace_report(&self, id: TraceId, most: usize) -> Option<TraceReport> {
        let trace = self.evidence.spans.trace(id)?;
        let findings = self.open_findings.of_unit(&Unit::Trace(id));
        Some(report::trace_report(trace, Some(&findings).filter(|ids| !ids.is_empty()), most))
    }

    /// The open findings, for callers that show them while they change.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.open_findings.findings()
    }
}

//! Judges everything once: each trace, each hand-off, each population.

use std::collections::{BTreeMap, BTreeSet};

use super::conclusions::Conclusions;
use super::figures::Figures;
use super::judge::{Explained, Judge, JudgedHandoff};
use super::retraction::Retractions;
use super::unproven::UnprovenReason;
use crate::diagnosis::known::Known;
use crate::diagnosis::rule::Tally;
use crate::evidence::{Evidence, Handoff, Presence};
use crate::model::{Finding, Map, Retracted, Timestamp, TraceId};

/// What judging everything found.
#[derive(Debug)]
pub struct Judged<'e> {
    /// In the order of a report.
    pub findings: Vec<Finding>,
    /// Hand-offs with a finding, and some of the healthy ones.
    pub handoffs: Vec<JudgedHandoff<'e>>,
    /// All hand-offs, listed or not.
    pub total: u64,
    /// Traces with findings, and the ids of those findings.
    pub traces: BTreeMap<TraceId, BTreeSet<String>>,
    /// How many messages of each task each finding covers, listed or not.
    pub shares: Shares<'e>,
    pub retracted: Vec<Retracted>,
    pub figures: Figures,
}

/// How many messages of a task are covered by a finding, by its id. Tasks without findings
/// are left out.
pub type Shares<'e> = BTreeMap<&'e str, BTreeMap<String, u64>>;

/// Judges everything that is known, adding to the conclusions from what was let go. `now`
/// is the clock of the evidence. At most `listed` hand-offs are listed for each finding,
/// and as many without one. `expected` is how many whole hand-offs there should be.
pub fn judge_all<'e>(
    evidence: &'e Evidence,
    past: &Conclusions,
    now: Timestamp,
    listed: usize,
    expected: Option<u64>,
) -> Judged<'e> {
    let known = Known::of(evidence, now);
    let mut judge = Judge::new(&known, past.findings.clone(), past.figures.clone());
    let mut listed = Listed { most: listed, total: past.handoffs, ..Listed::default() };

    // In the order of ids, so that what is listed and quoted does not depend on the order
    // of arrival. Traces come first: their findings cover their hand-offs too.
    let mut traces: Vec<_> = evidence.spans.traces().collect();
    traces.sort_unstable_by_key(|trace| trace.id);
    for trace in traces {
        judge.trace(trace);
    }
    let mut tasks: Vec<_> = evidence.tasks.iter().collect();
    tasks.sort_unstable_by_key(|task| &task.id);
    let mut retractions = Retractions::of(evidence, now);
    for task in tasks {
        // Nothing is retracted for what was not judged.
        let was_judged = !evidence.doubts(task);
        judge.task(task, &mut |judged| {
            if let Some(retractions) = retractions.as_mut().filter(|_| was_judged && !judged.is_faulty) {
                retractions.saw(&judged.handoff, &known);
            }
            listed.push(judged);
        });
    }
    let mut classes: Vec<_> = evidence.class_counts.classes().filter_map(Handoff::of_class).collect();
    classes.sort_by_key(|handoff| {
        (handoff.task, handoff.message().map(|message| (&message.queue, &message.origin, &message.id)))
    });
    for handoff in classes {
        listed.push(judge.handoff(handoff));
    }
    let before = Explained { task: &|task| past.explains(task), any: past.explains_any() };
    judge.orphans(&before, |trace| known.traces().has_settled(trace));
    judge.populations();
    let endpoints = evidence.receiver().endpoints.as_ref();
    let is_wrapped = endpoints.is_some_and(|endpoints| endpoints.are_told);
    judge.tally(&Tally { seen: listed.total, whole: judge.figures.proof.whole, expected, is_wrapped });
    Judged {
        findings: judge.findings.ranked(),
        handoffs: listed.handoffs,
        total: listed.total,
        traces: judge.traces,
        shares: listed.shares,
        retracted: retractions.map(Retractions::into_list).unwrap_or_default(),
        figures: judge.figures,
    }
}

/// The hand-offs that a report lists: a bounded number for each finding, for each reason
/// why a hand-off cannot be called whole, and of the healthy ones. The counts are of all.
#[derive(Default)]
struct Listed<'e> {
    handoffs: Vec<JudgedHandoff<'e>>,
    most: usize,
    of_kind: Map<(Option<String>, Option<UnprovenReason>), usize>,
    shares: Shares<'e>,
    total: u64,
}

impl<'e> Listed<'e> {
    fn push(&mut self, judged: JudgedHandoff<'e>) {
        self.total += judged.handoff.alike;
        self.count(&judged);
        let listed = self.of_kind.entry((judged.finding.clone(), judged.unproven)).or_default();
        if *listed < self.most {
            *listed += 1;
            self.handoffs.push(judged);
        }
    }

    /// Counts the messages of a hand-off under its finding.
    fn count(&mut self, judged: &JudgedHandoff<'e>) {
        let JudgedHandoff { handoff, finding: Some(finding), .. } = judged else { return };
        if handoff.message().is_none() {
            return;
        }
        let share = self.shares.entry(handoff.task).or_default();
        match share.get_mut(finding) {
            Some(messages) => *messages += handoff.alike,
            None => {
                share.insert(finding.clone(), handoff.alike);
            }
        }
    }
}

impl<'e> Handoff<'e> {
    /// The hand-offs of one class of a counted queue.
    fn of_class(class: &'e crate::evidence::Class) -> Option<Self> {
        let delivery = class.examples.first()?;
        Some(Self {
            task_id: &delivery.message.id,
            attempt: delivery.message.retries,
            task: &delivery.message.task,
            producer: None,
            delivery: Some(delivery),
            consumers: Vec::new(),
            candidate_runs: Vec::new(),
            linked: None,
            result: None,
            presence: Presence::Waiting(delivery.message.state),
            joined_by: None,
            was_retried: false,
            is_remnant: false,
            alike: class.count,
        })
    }
}

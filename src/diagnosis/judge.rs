//! The round of judging: every hand-off, every trace, every population.

use std::collections::{BTreeMap, BTreeSet};

use super::findings::Findings;
use super::{Check, Diagnosis, Known, OTHERS, SPEAKING_ORDER, Verdict, stations, tree};
use crate::evidence::{Evidence, Fate, Handoff};
use crate::model::{Finding, RetryShare, Severity, SpanStatus, Station, Stations, Timestamp, TraceId};

/// What a round of judging found.
#[derive(Debug)]
pub struct Judged<'e> {
    /// In the order of a report.
    pub findings: Vec<Finding>,
    /// Hand-offs with a finding, and a sample of the healthy ones.
    pub handoffs: Vec<JudgedHandoff<'e>>,
    /// All hand-offs, listed or not.
    pub total: u64,
    /// Traces that a finding speaks of, with the ids of those findings.
    pub traces: BTreeMap<TraceId, BTreeSet<String>>,
    pub figures: Figures,
}

/// What people monitor, over all hand-offs.
#[derive(Default, Debug)]
pub struct Figures {
    pub queue_wait_ms: Vec<f64>,
    pub retries: RetryShare,
    pub failures: BTreeMap<String, u64>,
}

/// One hand-off, and what is said of it.
#[derive(Debug)]
pub struct JudgedHandoff<'e> {
    pub handoff: Handoff<'e>,
    pub stations: Stations,
    /// The id of the finding that speaks for it.
    pub finding: Option<String>,
    /// The ids of the findings that say something besides.
    pub remarks: Vec<String>,
}

/// Judges everything that is known. `now` is the clock of the evidence; of
/// the hand-offs of one finding, or of none, at most `listed` are listed.
pub fn judge(evidence: &Evidence, now: Timestamp, listed: usize) -> Judged<'_> {
    let known = Known::of(evidence, now);
    let mut round = Round {
        known: &known,
        findings: Findings::default(),
        explained: BTreeSet::new(),
        traces: BTreeMap::new(),
        figures: Figures::default(),
        by_trace: BTreeMap::new(),
    };
    // Traces first: what is said of one speaks for its hand-offs too.
    round.judge_traces();
    let mut listed = Listed { most: listed, ..Listed::default() };

    // In the order of ids, so that what is listed and quoted does not depend
    // on the order in which evidence came in.
    let mut tasks: Vec<_> = evidence.tasks.iter().collect();
    tasks.sort_unstable_by_key(|task| &task.id);
    for task in tasks {
        let handoffs = task.handoffs(evidence);
        round.figures.saw_task(&handoffs);
        for mut handoff in handoffs {
            handoff.lookalikes = known.lookalikes(&handoff);
            listed.push(round.judge(handoff));
        }
    }
    let mut classes: Vec<_> = evidence.census.classes().filter_map(Handoff::of_class).collect();
    classes.sort_by_key(|handoff| {
        (handoff.task, handoff.message().map(|message| (&message.queue, &message.origin, &message.id)))
    });
    for handoff in classes {
        listed.push(round.judge(handoff));
    }
    round.judge_orphans();
    for diagnosis in OTHERS {
        if let Check::Population(check) = diagnosis.check {
            check(&known, &mut |occurrence| {
                round.findings.add(diagnosis, occurrence);
            });
        }
    }
    Judged {
        findings: round.findings.ranked(),
        handoffs: listed.handoffs,
        total: listed.total,
        traces: round.traces,
        figures: round.figures,
    }
}

struct Round<'k, 'e> {
    known: &'k Known<'e>,
    findings: Findings,
    /// Tasks whose hand-made consumer roots a finding speaks for.
    explained: BTreeSet<&'e str>,
    traces: BTreeMap<TraceId, BTreeSet<String>>,
    figures: Figures,
    /// Findings of traces, by the task ids of the runs that they are about.
    by_trace: BTreeMap<String, (String, Option<Station>)>,
}

/// How many traces are marked with the findings that speak of them.
const MARKED: usize = 1_000;

fn mark(traces: &mut BTreeMap<TraceId, BTreeSet<String>>, trace: TraceId, finding: &str) {
    if traces.len() < MARKED || traces.contains_key(&trace) {
        traces.entry(trace).or_default().insert(finding.to_owned());
    }
}

impl Figures {
    fn saw_task(&mut self, handoffs: &[Handoff<'_>]) {
        let attempts = handoffs.iter().filter(|handoff| !handoff.consumers.is_empty()).count() as u64;
        if attempts > 0 {
            self.retries.tasks += 1;
            self.retries.retried += u64::from(attempts > 1);
            self.retries.attempts += attempts;
        }
        self.queue_wait_ms.extend(handoffs.iter().filter_map(Handoff::queue_wait_ms));
        let Some(last) = handoffs.last() else { return };
        let of_span = || {
            let failed = last.consumers.iter().find(|consumer| consumer.span.status == SpanStatus::Error)?;
            failed.span.detail().exceptions.first().filter(|exception| &*exception.kind != "Retry")
        };
        if let Some(failure) = last.failure().or_else(of_span) {
            *self.failures.entry(failure.kind.to_string()).or_default() += 1;
        }
    }
}

impl<'e> Round<'_, 'e> {
    fn judge(&mut self, handoff: Handoff<'e>) -> JudgedHandoff<'e> {
        let mut finding = None;
        let mut broken = None;
        for diagnosis in SPEAKING_ORDER {
            let Check::Handoff(check) = diagnosis.check else { continue };
            match check(&handoff, self.known) {
                Verdict::Clean => {}
                Verdict::Wait => break,
                Verdict::Finding(occurrence) => {
                    let severity = occurrence.severity.unwrap_or(diagnosis.severity);
                    broken = diagnosis.station.filter(|_| severity == Severity::Error);
                    if !handoff.task.is_empty() {
                        self.explained.insert(handoff.task);
                    }
                    let id = self.findings.add(diagnosis, *occurrence);
                    let spans =
                        handoff.producer.iter().chain(&handoff.consumers).chain(handoff.lookalikes.first());
                    for trace in spans
                        .map(|found| found.trace.id)
                        .chain(handoff.contexts().map(|context| context.trace_id))
                    {
                        mark(&mut self.traces, trace, &id);
                    }
                    finding = Some(id);
                    break;
                }
            }
        }
        if finding.is_none()
            && let Some((id, station)) = self.by_trace.get(handoff.task_id)
        {
            finding = Some(id.clone());
            broken = *station;
        }
        let mut remarks = Vec::new();
        for diagnosis in OTHERS {
            let Check::Remark(check) = diagnosis.check else { continue };
            if let Verdict::Finding(occurrence) = check(&handoff, self.known) {
                remarks.push(self.findings.add(diagnosis, *occurrence));
            }
        }
        JudgedHandoff { stations: stations::of(&handoff, self.known, broken), handoff, finding, remarks }
    }

    /// Hand-made consumer roots for which no hand-off speaks.
    fn judge_orphans(&mut self) {
        let known = self.known;
        let tasks: BTreeSet<_> = known.orphaned_tasks().collect();
        let unexplained = tasks
            .into_iter()
            .filter(|task| !self.explained.contains(task))
            .flat_map(|task| known.orphans_of(task));
        let nameless = if self.explained.is_empty() { known.nameless_orphans() } else { &[] };
        let all: Vec<_> = unexplained.chain(nameless).copied().collect();
        for orphan in all {
            let id = self.findings.add(&tree::ORPHANED_CONSUMER, tree::of_span(orphan));
            mark(&mut self.traces, orphan.trace.id, &id);
        }
    }

    fn judge_traces(&mut self) {
        let checks: Vec<(&'static Diagnosis, _)> = OTHERS
            .iter()
            .filter_map(|diagnosis| match diagnosis.check {
                Check::Trace(check) => Some((*diagnosis, check)),
                _ => None,
            })
            .collect();
        let mut traces: Vec<_> = self.known.evidence.spans.traces().collect();
        traces.sort_unstable_by_key(|trace| trace.id);
        for trace in traces {
            for (diagnosis, check) in &checks {
                check(trace, self.known, &mut |occurrence| {
                    let about: Vec<_> = occurrence.handoffs.iter().cloned().collect();
                    let id = self.findings.add(diagnosis, occurrence);
                    mark(&mut self.traces, trace.id, &id);
                    for task in about {
                        self.by_trace.insert(task, (id.clone(), diagnosis.station));
                    }
                });
            }
        }
    }
}

/// The hand-offs that a report lists: a bounded number of each finding, and of
/// the healthy ones.
#[derive(Default)]
struct Listed<'e> {
    handoffs: Vec<JudgedHandoff<'e>>,
    most: usize,
    of_finding: rustc_hash::FxHashMap<Option<String>, usize>,
    total: u64,
}

impl<'e> Listed<'e> {
    fn push(&mut self, judged: JudgedHandoff<'e>) {
        self.total += judged.handoff.alike;
        let listed = match self.of_finding.get_mut(&judged.finding) {
            Some(listed) => listed,
            None => self.of_finding.entry(judged.finding.clone()).or_default(),
        };
        if *listed < self.most {
            *listed += 1;
            self.handoffs.push(judged);
        }
    }
}

impl<'e> Handoff<'e> {
    /// The hand-offs of one class of a queue that was counted.
    fn of_class(class: &'e crate::evidence::Class) -> Option<Self> {
        let delivery = class.examples.first()?;
        Some(Self {
            task_id: &delivery.message.id,
            attempt: delivery.message.retries,
            task: &delivery.message.task,
            producer: None,
            delivery: Some(delivery),
            consumers: Vec::new(),
            lookalikes: Vec::new(),
            result: None,
            fate: Fate::Waiting(delivery.message.state),
            joined_by: None,
            was_retried: false,
            alike: class.count,
        })
    }
}

//! What a live view shows: the passages newest first, the findings, the queues, and how
//! much came. It is fed with the one stream of events, and bounded in memory: what finds no
//! room is let go and counted.
//!
//! A view holds the lock of a board only to copy what it is about to draw: passages and
//! findings are shared, not copied.

mod bytes;
mod figures;
mod filter;
mod findings;
mod passage;
mod passages;
mod queues;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use self::figures::Rate;
use self::findings::Findings;
use self::passages::Passages;
use self::queues::Queues;
use crate::model::{Event, LimitCounts};

pub use self::figures::{Figures, Totals};
pub use self::filter::Filter;
pub use self::findings::KnownFinding;
pub use self::passage::Passage;
pub use self::queues::{QueueFigures, QueueNow};

/// A board that one feeds and others look at.
pub type SharedBoard = Arc<Mutex<Board>>;

/// What a live view shows.
#[derive(Debug)]
pub struct Board {
    version: u64,
    passages: Passages,
    findings: Findings,
    queues: Queues,
    rate: Rate,
    figures: (u64, u64),
    not_shown: u64,
    limits: LimitCounts,
    notices: VecDeque<String>,
}

impl Board {
    /// How many notices are kept.
    const NOTICES: usize = 20;
    /// How many groups of traces one round may bring: more than anybody reads, and few
    /// enough that the round stays short.
    pub const A_ROUND: usize = 100;

    /// A board that holds about so many bytes.
    pub fn new(bytes: usize) -> Self {
        Self {
            version: 0,
            passages: Passages::new(bytes - bytes / 4),
            findings: Findings::new(bytes / 4),
            queues: Queues::default(),
            rate: Rate::default(),
            figures: (0, 0),
            not_shown: 0,
            limits: LimitCounts::default(),
            notices: VecDeque::new(),
        }
    }

    /// Takes the events of a round, and how many groups of traces are not among them. `now`
    /// is how long the session has been going on.
    pub fn events(&mut self, events: &[Event], not_shown: u64, now: Duration) {
        self.not_shown += not_shown;
        if not_shown > 0 {
            self.version += 1;
        }
        for event in events {
            self.version += 1;
            let Self { version, passages, findings, limits, .. } = self;
            match event {
                Event::Traces { traces, handoffs } => {
                    passages.insert(traces, handoffs, now, version, findings);
                }
                Event::Finding { finding, handoffs, traces } => {
                    findings.insert(finding, now, *version);
                    if !(handoffs.is_empty() && traces.is_empty()) {
                        let example = passages.insert(traces, handoffs, now, version, findings);
                        findings.exemplify(&finding.id, example);
                    }
                    passages.rejudge(&finding.id, version, findings);
                }
                Event::Resolved(finding) => {
                    findings.resolve(finding, now, *version);
                    passages.rejudge(&finding.id, version, findings);
                }
                Event::Limit(counts) => *limits = *counts,
            }
        }
    }

    /// Takes how much came so far, and what the queues hold; about once a second.
    pub fn figures(&mut self, figures: Figures, now: Duration) {
        let Figures { spans, traces, queues } = figures;
        let has_new_queues = self.queues.look(queues, now);
        if self.figures != (spans, traces) || has_new_queues {
            self.version += 1;
        }
        self.figures = (spans, traces);
        self.rate.sample(spans, now);
    }

    /// Takes something that happened beside the events, in raw text.
    pub fn notice(&mut self, text: String) {
        self.version += 1;
        if self.notices.len() == Self::NOTICES {
            self.notices.pop_front();
        }
        self.notices.push_back(text);
    }

    /// Grows with every change.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The passages, newest first: by when they first came.
    pub fn passages(&self) -> impl DoubleEndedIterator<Item = &Arc<Passage>> {
        self.passages.iter()
    }

    pub fn passage(&self, id: u64) -> Option<&Arc<Passage>> {
        self.passages.get(id)
    }

    /// What became of the passage that had this id: passages grow together once it turns
    /// out that they belong together.
    pub fn successor(&self, id: u64) -> Option<&Arc<Passage>> {
        self.passages.successor(id)
    }

    /// The passages that changed after this version, those that changed first first.
    pub fn changed_since(&self, version: u64) -> impl Iterator<Item = &Arc<Passage>> {
        self.passages.changed_since(version)
    }

    /// The ids of the passages that went after this version: let go, or grown together with
    /// an older one. `None` if that is not known any more.
    pub fn gone_since(&self, version: u64) -> Option<impl Iterator<Item = u64>> {
        self.passages.gone_since(version)
    }

    /// The findings, in the order in which they were first said.
    pub fn findings(&self) -> impl Iterator<Item = &KnownFinding> {
        self.findings.iter()
    }

    pub fn finding(&self, id: &str) -> Option<&KnownFinding> {
        self.findings.get(id)
    }

    pub fn totals(&self) -> Totals {
        let (spans, traces) = self.figures;
        Totals {
            spans,
            traces,
            spans_per_second: self.rate.per_second(),
            passages: self.passages.len() as u64,
            broken: self.passages.broken() as u64,
            not_shown: self.not_shown,
            let_go: self.passages.let_go(),
            findings_let_go: self.findings.let_go(),
        }
    }

    pub const fn limits(&self) -> &LimitCounts {
        &self.limits
    }

    /// The queues of the brokers that are watched, the deepest first.
    pub fn queues(&self) -> &[QueueFigures] {
        self.queues.all()
    }

    /// What happened beside the events, in raw text, the newest last.
    pub fn notices(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.notices.iter().map(String::as_str)
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        self.passages.bytes() + self.findings.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Finding, HandoffReport, SpanId, SpanReport, Timestamp, TraceId, TraceReport};
    use crate::report::stitched::Health;

    fn trace(id: u8) -> TraceReport {
        let span = SpanReport {
            span_id: SpanId::new([id; 8]),
            parent_id: None,
            service: format!("service-{id}"),
            name: format!("request {id}"),
            kind: "server",
            start: Timestamp::UNSET,
            duration_ms: 1.0,
            status: "unset",
            task_id: None,
            orphan: None,
            exception: None,
            retries: None,
            links: Vec::new(),
        };
        TraceReport {
            trace_id: TraceId::new([id; 16]),
            healthy: true,
            complete: true,
            span_count: 1,
            spans: vec![span],
        }
    }

    fn handoff(from: u8, to: u8, finding: Option<&str>) -> HandoffReport {
        let end = |id: u8| (TraceId::new([id; 16]), SpanId::new([id; 8]));
        HandoffReport {
            task_id: format!("task {from} {to}"),
            attempt: 0,
            task: "process_order".to_owned(),
            stations: crate::model::Stations::default(),
            queue_wait_ms: Some(1.0),
            finding: finding.map(str::to_owned),
            unproven: None,
            joined_by: None,
            producer: Some(end(from)),
            consumers: vec![end(to)],
            deliveries: 0,
            result: None,
        }
    }

    fn came(traces: &[u8], handoffs: Vec<HandoffReport>) -> Event {
        Event::Traces { traces: traces.iter().map(|id| trace(*id)).collect(), handoffs }
    }

    const NOW: Duration = Duration::from_secs(1);

    #[test]
    fn what_belongs_together_grows_together() {
        let mut board = Board::new(1 << 20);
        board.events(&[came(&[1], vec![]), came(&[2], vec![]), came(&[3], vec![])], 0, NOW);
        let ids: Vec<_> = board.passages().map(|passage| passage.id).collect();
        assert_eq!(ids, [3, 2, 1], "the newest first");
        let version = board.version();
        board.events(&[came(&[3], vec![handoff(1, 3, None)])], 0, NOW);
        let ids: Vec<_> = board.passages().map(|passage| passage.id).collect();
        assert_eq!(ids, [2, 1]);
        let passage = board.successor(3).expect("it grew into another");
        assert_eq!((passage.id, passage.traces.len(), passage.handoffs.len()), (1, 2, 1));
        assert_eq!(passage.services, ["service-1", "service-3"]);
        let changed: Vec<_> = board.changed_since(version).map(|passage| passage.id).collect();
        assert_eq!(changed, [1]);
    }

    #[test]
    fn a_passage_is_broken_as_long_as_its_finding_holds() {
        let mut board = Board::new(1 << 20);
        let rule = crate::diagnosis::find("propagator-mismatch").expect("a rule");
        let finding = Finding {
            id: "cause".to_owned(),
            code: rule.code,
            slug: rule.slug,
            variant: None,
            severity: crate::model::Severity::Error,
            severity_without_config: None,
            confidence: crate::model::Confidence::Certain,
            station: None,
            baseline: None,
            message: "why".to_owned(),
            sentence: crate::model::Sentence::plain("why"),
            fixes: Vec::new(),
            fix: Vec::new(),
            needs: Vec::new(),
            count: 1,
            tasks: std::collections::BTreeSet::default(),
            services: std::collections::BTreeSet::default(),
            queues: std::collections::BTreeSet::default(),
            origins: std::collections::BTreeSet::default(),
            evidence: Vec::new(),
            handoffs: std::collections::BTreeSet::default(),
            alternatives: Vec::new(),
        };
        let health = |board: &Board| board.passages().next().map(|passage| passage.health);
        // What is set aside is not told, and then nothing is broken.
        board.events(&[came(&[1, 2], vec![handoff(1, 2, Some("cause"))])], 0, NOW);
        assert_eq!(health(&board), Some(Health::Whole));
        board.events(&[Event::of_finding(finding.clone())], 0, NOW);
        assert_eq!(health(&board), Some(Health::Broken));
        assert_eq!(board.totals().broken, 1);
        board.events(&[Event::Resolved(Box::new(finding))], 0, NOW);
        assert_eq!(health(&board), Some(Health::Whole));
        assert!(board.finding("cause").is_some_and(|known| known.is_resolved));
    }
}

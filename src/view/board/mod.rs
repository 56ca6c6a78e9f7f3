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
use self::passages::{Came, Passages};
use self::queues::Queues;
use crate::model::{Event, LimitCounts};

pub use self::figures::{Figures, Totals};
pub use self::filter::Filter;
pub use self::findings::KnownFinding;
#[cfg(test)]
pub use self::findings::tests::a_finding;
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
        self.take(events, Came::Now, now);
    }

    /// Takes what the last report says, of which everything came before: a passage that was
    /// let go takes the place of its age.
    pub fn last_events(&mut self, events: &[Event], now: Duration) {
        self.take(events, Came::Before, now);
    }

    fn take(&mut self, events: &[Event], came: Came, now: Duration) {
        for event in events {
            self.version += 1;
            let Self { version, passages, findings, limits, .. } = self;
            match event {
                Event::Traces { traces, handoffs } => {
                    passages.insert((traces, handoffs), came, now, version, findings);
                }
                Event::Finding { finding, handoffs, traces } => {
                    findings.insert(finding, now, *version);
                    if !(handoffs.is_empty() && traces.is_empty()) {
                        let example = passages.insert((traces, handoffs), came, now, version, findings);
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
    pub fn passages(&self) -> impl Iterator<Item = &Arc<Passage>> {
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
        let (handoffs, unproven) = self.passages.handoffs();
        Totals {
            spans,
            traces,
            spans_per_second: self.rate.per_second(),
            passages: self.passages.len() as u64,
            handoffs,
            unproven,
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
    use crate::model::{HandoffReport, Severity, SpanId, SpanReport, Timestamp, TraceId, TraceReport};
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

    /// What the last report lists and the board let go takes the place of its age.
    #[test]
    fn what_comes_back_is_not_on_top() {
        let began = |id: u8| {
            let mut trace = trace(id);
            trace.spans[0].start =
                Timestamp::from_nanos(1_700_000_000_000_000_000 + u64::from(id) * 1_000_000_000);
            Event::Traces { traces: vec![trace], handoffs: Vec::new() }
        };
        // Ten come in each round.
        let now = |id: u8| Duration::from_secs(u64::from(id / 10 * 10));
        let titles = |board: &Board| -> Vec<u8> {
            let all = board.passages();
            let mut ids: Vec<_> = all.map(|passage| passage.traces[0].trace_id.bytes()[0]).collect();
            ids.reverse();
            ids
        };
        let mut board = Board::new(64 << 10);
        (0..100).for_each(|id| board.events(&[began(id)], 0, now(id)));
        let (held, let_go) = (titles(&board), board.totals().let_go);
        assert!(held.is_sorted() && !held.contains(&10) && held.contains(&95), "{held:?}");
        board.last_events(&[began(10)], now(100));
        let then = titles(&board);
        assert!(then[0] == 10 && then.is_sorted(), "{then:?}");
        assert_eq!(board.passages().last().map(|passage| passage.first), Some(Duration::from_secs(10)));
        // It takes the room of the oldest ones, and is not counted as gone any more.
        assert_eq!(board.totals().let_go + 1, let_go + (held.len() + 1 - then.len()) as u64);
        // One that is here stays where it is.
        board.last_events(&[began(95)], now(100));
        assert!(titles(&board).is_sorted());

        // Between two that are held, also of one round.
        let mut board = Board::new(1 << 20);
        [11, 12, 14, 15, 31].into_iter().for_each(|id| board.events(&[began(id)], 0, now(id)));
        board.last_events(&[began(13), began(21), began(40), began(2)], now(100));
        assert_eq!(titles(&board), [2, 11, 12, 13, 14, 15, 21, 31, 40]);
    }

    #[test]
    fn a_passage_is_broken_as_long_as_its_finding_holds() {
        let mut board = Board::new(1 << 20);
        let finding = a_finding("cause", Severity::Error);
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

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

//! What a frame shows of the board: copied in a moment, so that whoever feeds the board does
//! not wait for a frame.

use std::sync::Arc;

use super::super::board::{Filter, KnownFinding, Passage, QueueFigures, SharedBoard, Totals};
use crate::model::LimitCounts;

/// The board at one moment.
#[derive(Default, Debug)]
pub struct Snapshot {
    pub version: u64,
    /// Those that the filter takes, newest first.
    pub shown: Vec<Arc<Passage>>,
    /// All of them.
    all: Vec<Arc<Passage>>,
    pub findings: Vec<KnownFinding>,
    pub totals: Totals,
    pub limits: LimitCounts,
    pub queues: Vec<QueueFigures>,
    pub notices: Vec<String>,
}

impl Snapshot {
    pub fn take(board: &SharedBoard, filter: &Filter) -> Self {
        let mut taken = {
            let board = board.lock();
            Self {
                version: board.version(),
                shown: Vec::new(),
                all: board.passages().cloned().collect(),
                findings: board.findings().cloned().collect(),
                totals: board.totals(),
                limits: *board.limits(),
                queues: board.queues().to_vec(),
                notices: board.notices().map(str::to_owned).collect(),
            }
        };
        taken.filter(filter);
        taken
    }

    pub fn filter(&mut self, filter: &Filter) {
        self.shown = self.all.iter().filter(|passage| filter.takes(passage)).cloned().collect();
    }

    /// Where a passage is among those that are shown: those are in the order of their ids.
    pub fn place(&self, id: u64) -> Option<usize> {
        self.shown.binary_search_by(|passage| id.cmp(&passage.id)).ok()
    }

    /// The passage at whose place this one would be.
    pub fn nearest(&self, id: u64) -> usize {
        let place = self.shown.binary_search_by(|passage| id.cmp(&passage.id)).unwrap_or_else(|place| place);
        place.min(self.shown.len().saturating_sub(1))
    }

    /// The worst finding of a passage that holds.
    pub fn finding_of(&self, passage: &Passage) -> Option<&KnownFinding> {
        let known = |id: &String| self.findings.iter().find(|known| known.finding.id == *id);
        let mut all = passage.findings.iter().filter_map(known);
        all.find(|known| !known.is_resolved)
    }

    /// How many passages the filter leaves out.
    pub fn hidden(&self) -> usize {
        self.all.len() - self.shown.len()
    }
}

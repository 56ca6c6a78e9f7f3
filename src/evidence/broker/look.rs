//! One look at one broker.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::requested_queues::RequestedQueues;
use super::routes::{Routes, name_bytes};
use crate::model::Timestamp;
use crate::model::memory_size::{allocation, in_tree};
use crate::wire::broker::QueueDepth;

/// One look at one broker.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Look {
    pub at: Timestamp,
    /// Queues by name, with what was found in them. Only the last look of a history keeps
    /// their depth by priority.
    pub queues: BTreeMap<Arc<str>, QueueDepth>,
    /// Whether all of `unacked` was read.
    pub unacked_complete: bool,
    /// Live workers, by their mailboxes. `None` if nobody looked for them, and in all looks
    /// of a history but the last.
    pub workers: Option<BTreeSet<Box<str>>>,
    /// Where a message may be routed.
    pub routes: Routes,
    /// The moment since which every existing key has been visited, so that a queue that
    /// was not found is empty. `None` if not all keys were visited.
    pub complete_since: Option<Timestamp>,
    /// The queues that the user asked for by name; `None` for all.
    pub requested: Option<RequestedQueues>,
    /// Whether it ended before all names were visited, and not because the user chose so.
    pub ended_early: bool,
}

impl Look {
    /// The moment until which a message of `queue` that was not seen may have
    /// been there; `None` where it may be there still.
    pub fn shows_absence_from(&self, queue: &str) -> Option<Timestamp> {
        if !self.unacked_complete {
            return None;
        }
        match self.queues.get(queue) {
            Some(seen) => seen.complete.then_some(self.at),
            None => self.complete_since,
        }
    }

    pub fn has_no_worker(&self) -> bool {
        self.workers.as_ref().is_some_and(BTreeSet::is_empty)
    }

    pub fn has_worker(&self) -> bool {
        self.workers.as_ref().is_some_and(|workers| !workers.is_empty())
    }

    /// About how many bytes it takes, without its routes. This goes through all queues, so
    /// it is called once, when the look is filed, and the answer is kept.
    pub(super) fn bytes(&self) -> usize {
        const QUEUE: usize = in_tree(size_of::<(Arc<str>, QueueDepth)>());
        /// One node of the tree: there are few steps.
        const PRIORITIES: usize = allocation(11 * size_of::<(u64, u64)>());
        let with_priorities = self.queues.values().filter(|depth| !depth.priorities.is_empty());
        let workers = self.workers.iter().flatten().map(|worker| name_bytes(worker));
        size_of::<Self>()
            + self.queues.len() * QUEUE
            + with_priorities.count() * PRIORITIES
            + workers.sum::<usize>()
    }

    /// Leaves out queues if the look takes more than this many bytes, and returns how many.
    /// Empty ones go first: as long as every queue was visited, the look says the same
    /// about an empty queue that it leaves out.
    pub(super) fn leave_out(&mut self, bound: usize) -> u64 {
        let bytes = self.bytes();
        if bytes <= bound {
            return 0;
        }
        let each = (bytes / self.queues.len().max(1)).max(1);
        let mut surplus = (bytes - bound).div_ceil(each).min(self.queues.len());
        let before = self.queues.len();
        self.queues.retain(|_, depth| {
            let goes = surplus > 0 && depth.complete && depth.ready == 0 && depth.unacked == 0;
            surplus -= usize::from(goes);
            !goes
        });
        if surplus > 0 {
            // For a queue that holds something, the look would wrongly say that it is
            // empty.
            self.complete_since = None;
            self.queues.retain(|_, _| {
                let goes = surplus > 0;
                surplus -= usize::from(goes);
                !goes
            });
        }
        (before - self.queues.len()) as u64
    }

    /// Keeps only what is needed of a look that is not the last one.
    pub(super) fn thin(&mut self) {
        self.workers = self.workers.take().filter(BTreeSet::is_empty);
        self.queues.values_mut().for_each(|queue| queue.priorities.clear());
    }
}

//! What looks at a broker show about messages that they did not find.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::look::Look;
use super::routes::Routes;
use crate::model::Timestamp;
use crate::model::memory_size::in_tree;

/// Until when a message that was not seen may have been in its queue, according to the last
/// look that shows it absent.
///
/// It keeps a maximum for each queue, so neither the order nor the number of the looks
/// matters, and nobody has to go through all of them.
#[derive(Default, Debug)]
pub(super) struct Absences {
    /// For each queue that appeared in any look.
    queues: BTreeMap<Arc<str>, Absence>,
    /// For a queue that appeared in none.
    elsewhere: Option<Timestamp>,
    /// When all queues were read to their end.
    pub everywhere: Option<Timestamp>,
    /// Whether there were more queues than are kept. Nothing is known of the others.
    is_cut: bool,
}

/// Until when a message that was not seen may have been in one queue.
#[derive(Clone, Copy, Default, Debug)]
struct Absence {
    /// By any look.
    until: Option<Timestamp>,
    /// Only looks that found the queue bound or filled, and read it to its end.
    read: Option<Timestamp>,
}

impl Absences {
    /// How many bytes a queue takes.
    pub const QUEUE: usize = in_tree(size_of::<(Arc<str>, Absence)>());

    /// Adds what a look shows as far as there is room. Returns how many bytes it has grown
    /// by.
    pub fn learn(&mut self, look: &Look, room: usize) -> usize {
        let before = self.queues.len();
        for queue in look.queues.keys() {
            if self.queues.contains_key(queue) {
                continue;
            }
            if self.queues.len() < Routes::NAMES && (self.queues.len() - before + 1) * Self::QUEUE <= room {
                // No earlier look had this queue, so they say of it what they say of any
                // queue that they do not know.
                let absence = Absence { until: self.elsewhere, read: None };
                self.queues.insert(Arc::clone(queue), absence);
            } else {
                self.is_cut = true;
            }
        }
        for (queue, absence) in &mut self.queues {
            let until = look.shows_absence_from(queue);
            absence.until = absence.until.max(until);
            if look.queues.contains_key(queue) {
                absence.read = absence.read.max(until);
            }
        }
        if look.unacked_complete {
            self.elsewhere = self.elsewhere.max(look.complete_since);
            if !look.queues.is_empty() && look.queues.values().all(|queue| queue.complete) {
                self.everywhere = self.everywhere.max(Some(look.at));
            }
        }
        (self.queues.len() - before) * Self::QUEUE
    }

    /// When a look last found this queue bound or filled, and read it to its end.
    pub fn read(&self, queue: &str) -> Option<Timestamp> {
        self.queues.get(queue)?.read
    }

    #[cfg(test)]
    pub fn queue_count(&self) -> usize {
        self.queues.len()
    }

    pub fn of(&self, queue: &str) -> Option<Timestamp> {
        match self.queues.get(queue) {
            Some(absence) => absence.until,
            None if self.is_cut => None,
            None => self.elsewhere,
        }
    }
}

//! How long messages have been seen to wait.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::store::Tasks;
use crate::model::{MessageState, Timestamp};

/// For how long the oldest message has been seen to wait, by broker and queue.
pub type OldestWaiting = BTreeMap<(Arc<str>, Arc<str>), Duration>;

impl Tasks {
    /// Of each broker and queue, for how long its oldest message that waits was seen to
    /// wait: between the first and the last look that found it. `last_look` is when a
    /// broker was looked at last; what that look did not find does not wait any more.
    ///
    /// It goes through all tasks; `None` if there are more than `most`.
    pub fn oldest_waiting(
        &self,
        most: usize,
        last_look: impl Fn(&str) -> Option<Timestamp>,
    ) -> Option<OldestWaiting> {
        if self.len() > most {
            return None;
        }
        let mut oldest = BTreeMap::new();
        for delivery in self.iter().flat_map(|task| &task.messages) {
            let (first, last) = (delivery.first(), delivery.last());
            if last.state != MessageState::Ready
                || last_look(&delivery.broker).is_none_or(|look| last.at < look)
            {
                continue;
            }
            let seconds = (last.at.millis_since(first.at) / 1_000.0).max(0.0);
            let waited = Duration::try_from_secs_f64(seconds).unwrap_or_default();
            let queue = (Arc::clone(&delivery.broker), Arc::clone(&delivery.message.queue));
            let known: &mut Duration = oldest.entry(queue).or_default();
            *known = waited.max(*known);
        }
        Some(oldest)
    }
}

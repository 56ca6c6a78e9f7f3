//! Limits the number of connections. When the receiver is full, it closes the least
//! useful connection, so that silent clients shut nobody out.
//!
//! A semaphore and an idle timeout do not do this. Clients that connect and send nothing
//! would shut out every exporter until the timeout. A timeout short enough to prevent
//! that would close the connections of exporters between two batches.
//! `wire::clients_that_say_nothing_shut_nobody_out` in `tests/receiver` gives such
//! clients 300 ms.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::activity::ConnectionActivity;

/// A limit of connections, shared by all ports.
pub struct ConnectionSlots {
    limit: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    next: u64,
    connections: HashMap<u64, Connection>,
    /// How many of the connections were asked to close.
    leaving: usize,
}

struct Connection {
    activity: Arc<ConnectionActivity>,
    close: Arc<Notify>,
    is_leaving: bool,
}

impl ConnectionSlots {
    pub fn new(limit: usize) -> Self {
        Self { limit, taken: Mutex::default() }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A slot for a connection. If all are taken, asks another connection to close;
    /// `None` where none may be asked.
    pub fn take(self: &Arc<Self>, activity: Arc<ConnectionActivity>, now: Instant) -> Option<ConnectionSlot> {
        let mut taken = self.taken();
        // A connection that was asked to close holds memory until it has ended.
        if taken.connections.len() > self.limit + self.limit / 8 {
            return None;
        }
        if taken.connections.len() - taken.leaving >= self.limit {
            let (_, first) = taken
                .connections
                .iter()
                .filter(|(_, connection)| !connection.is_leaving)
                .filter_map(|(number, connection)| Some((connection.activity.priority(now)?, *number)))
                .min()?;
            let connection = taken.connections.get_mut(&first).expect("it was found among them");
            connection.is_leaving = true;
            connection.close.notify_one();
            taken.leaving += 1;
        }
        let number = taken.next;
        taken.next += 1;
        let close = Arc::new(Notify::new());
        taken
            .connections
            .insert(number, Connection { activity, close: Arc::clone(&close), is_leaving: false });
        Some(ConnectionSlot { slots: Arc::clone(self), number, close })
    }
}

/// A connection's slot, given back when it is dropped.
pub struct ConnectionSlot {
    slots: Arc<ConnectionSlots>,
    number: u64,
    close: Arc<Notify>,
}

impl ConnectionSlot {
    /// Waits until another connection needs the slot.
    pub async fn is_asked_to_close(&self) {
        self.close.notified().await;
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut taken = self.slots.taken();
        let connection = taken.connections.remove(&self.number);
        taken.leaving -= usize::from(connection.is_some_and(|connection| connection.is_leaving));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn is_asked_to_go(slot: &ConnectionSlot) -> bool {
        slot.slots.taken().connections[&slot.number].is_leaving
    }

    #[test]
    fn the_one_that_is_missed_the_least_makes_room() {
        let slots = Arc::new(ConnectionSlots::new(3));
        let came = Instant::now();
        let come = |after: u64| {
            let activity = Arc::new(ConnectionActivity::new());
            let slot = slots.take(Arc::clone(&activity), came + Duration::from_millis(after));
            slot.map(|slot| (slot, activity))
        };
        let (busy, activity) = come(0).expect("there is room");
        activity.begin();
        let (resting, activity) = come(0).expect("there is room");
        activity.begin();
        activity.end();
        let (silent, _) = come(0).expect("there is room");

        let (next, _) = come(500).expect("by the slot of the silent one");
        assert!(is_asked_to_go(&silent) && !is_asked_to_go(&resting));
        assert!(come(500).is_none(), "as long as it has not gone");
        drop(silent);
        // `next` is new, and may still send a request.
        let (last, activity) = come(100).expect("by the slot of the resting one");
        assert!(is_asked_to_go(&resting) && !is_asked_to_go(&next) && !is_asked_to_go(&busy));
        activity.begin();
        drop(resting);
        let (_other, _) = come(100).expect("by the slot of the one that just came");
        assert!(is_asked_to_go(&next) && !is_asked_to_go(&busy) && !is_asked_to_go(&last));
    }

    #[test]
    fn a_request_that_hangs_makes_room_and_one_that_began_does_not() {
        let slots = Arc::new(ConnectionSlots::new(2));
        let came = Instant::now();
        let come = |after: u64| {
            let activity = Arc::new(ConnectionActivity::new());
            activity.begin();
            slots.take(activity, came + Duration::from_secs(after))
        };
        let (stalled_after, _other) = (come(0).expect("there is room"), come(0).expect("there is room"));
        assert!(come(0).is_none());
        let _next = come(2).expect("by the slot of one that hangs");
        assert!(is_asked_to_go(&stalled_after));
    }
}

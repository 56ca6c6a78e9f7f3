//! Places for connections. A receiver that is full makes room by the connection
//! that is missed the least, so that silent clients shut nobody out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::pulse::Pulse;

/// A limit of connections, shared by all doors.
pub struct Places {
    limit: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    next: u64,
    guests: HashMap<u64, Guest>,
    /// How many of the guests were asked to go.
    leaving: usize,
}

struct Guest {
    pulse: Arc<Pulse>,
    go: Arc<Notify>,
    is_leaving: bool,
}

impl Places {
    pub fn new(limit: usize) -> Self {
        Self { limit, taken: Mutex::default() }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection, by another's where all are taken; `None` where
    /// nobody can be asked to go.
    pub fn take(self: &Arc<Self>, pulse: Arc<Pulse>, now: Instant) -> Option<Place> {
        let mut taken = self.taken();
        // Who was asked to go holds memory until it has gone.
        if taken.guests.len() > self.limit + self.limit / 8 {
            return None;
        }
        if taken.guests.len() - taken.leaving >= self.limit {
            let (_, least) = taken
                .guests
                .iter()
                .filter(|(_, guest)| !guest.is_leaving)
                .filter_map(|(number, guest)| Some((guest.pulse.claim(now)?, *number)))
                .min()?;
            let guest = taken.guests.get_mut(&least).expect("it was found among them");
            guest.is_leaving = true;
            guest.go.notify_one();
            taken.leaving += 1;
        }
        let number = taken.next;
        taken.next += 1;
        let go = Arc::new(Notify::new());
        taken.guests.insert(number, Guest { pulse, go: Arc::clone(&go), is_leaving: false });
        Some(Place { places: Arc::clone(self), number, go })
    }
}

/// A connection's place, given back when it is dropped.
pub struct Place {
    places: Arc<Places>,
    number: u64,
    go: Arc<Notify>,
}

impl Place {
    /// Ends when another is to have the place.
    pub async fn is_wanted(&self) {
        self.go.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        let guest = taken.guests.remove(&self.number);
        taken.leaving -= usize::from(guest.is_some_and(|guest| guest.is_leaving));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn is_asked_to_go(place: &Place) -> bool {
        place.places.taken().guests[&place.number].is_leaving
    }

    #[test]
    fn the_one_that_is_missed_the_least_makes_room() {
        let places = Arc::new(Places::new(3));
        let came = Instant::now();
        let come = |after: u64| {
            let pulse = Arc::new(Pulse::new());
            let place = places.take(Arc::clone(&pulse), came + Duration::from_millis(after));
            place.map(|place| (place, pulse))
        };
        let (busy, pulse) = come(0).expect("there is room");
        pulse.begin();
        let (resting, pulse) = come(0).expect("there is room");
        pulse.begin();
        pulse.end();
        let (silent, _) = come(0).expect("there is room");

        let (next, _) = come(500).expect("by the place of the silent one");
        assert!(is_asked_to_go(&silent) && !is_asked_to_go(&resting));
        assert!(come(500).is_none(), "as long as it has not gone");
        drop(silent);
        // `next` has just come, and may say something yet.
        let (last, pulse) = come(100).expect("by the place of the resting one");
        assert!(is_asked_to_go(&resting) && !is_asked_to_go(&next) && !is_asked_to_go(&busy));
        pulse.begin();
        drop(resting);
        let (_other, _) = come(100).expect("by the place of the one that just came");
        assert!(is_asked_to_go(&next) && !is_asked_to_go(&busy) && !is_asked_to_go(&last));
    }

    #[test]
    fn a_request_that_hangs_makes_room_and_one_that_began_does_not() {
        let places = Arc::new(Places::new(2));
        let came = Instant::now();
        let come = |after: u64| {
            let pulse = Arc::new(Pulse::new());
            pulse.begin();
            places.take(pulse, came + Duration::from_secs(after))
        };
        let (hanging, _other) = (come(0).expect("there is room"), come(0).expect("there is room"));
        assert!(come(0).is_none());
        let _next = come(2).expect("by the place of one that hangs");
        assert!(is_asked_to_go(&hanging));
    }
}

//! When a connection last did something that counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What bytes between two requests mean.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// The head of the next has begun.
    Head,
    /// Nothing: HTTP/2 has pings and settings.
    Frames,
}

pub enum Overdue {
    Head,
    Rest,
}

/// When a connection last did something that counts.
pub struct Pulse {
    began: Instant,
    state: Mutex<Beat>,
    /// Whether bytes have come since the last request, in milliseconds after
    /// `began`, plus one; 0 for no.
    head_since: AtomicU64,
}

#[derive(Clone, Copy)]
struct Beat {
    in_flight: usize,
    rests_since: Instant,
    /// When a request began or ended last.
    last: Option<Instant>,
}

impl Pulse {
    pub fn new() -> Self {
        let began = Instant::now();
        Self {
            began,
            state: Mutex::new(Beat { in_flight: 0, rests_since: began, last: None }),
            head_since: AtomicU64::new(0),
        }
    }

    fn beat(&self) -> MutexGuard<'_, Beat> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request's head is complete.
    pub fn begin(&self) {
        let mut beat = self.beat();
        beat.in_flight += 1;
        beat.last = Some(Instant::now());
        drop(beat);
        self.head_since.store(0, Ordering::Relaxed);
    }

    /// A request was answered.
    pub fn end(&self) {
        let mut beat = self.beat();
        beat.in_flight = beat.in_flight.saturating_sub(1);
        beat.rests_since = Instant::now();
        beat.last = Some(beat.rests_since);
        drop(beat);
        // The rest of a body that was refused is no head.
        self.head_since.store(0, Ordering::Relaxed);
    }

    pub fn rest_again(&self) {
        self.beat().rests_since = Instant::now();
    }

    pub fn heard(&self) {
        if self.head_since.load(Ordering::Relaxed) == 0 {
            let since = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
            self.head_since.store(since + 1, Ordering::Relaxed);
        }
    }

    fn head_since(&self) -> Option<Instant> {
        let since = self.head_since.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.began + Duration::from_millis(since))
    }

    /// When to look again.
    pub fn due(&self, patience: Duration, idle: Duration, rest: Rest) -> Instant {
        let beat = *self.beat();
        let head = (rest == Rest::Head && beat.in_flight == 0).then(|| self.head_since()).flatten();
        match head {
            Some(since) => since + patience,
            // Bytes may come at any time, and their patience begins then.
            None => (Instant::now() + patience).min(beat.rests_since.max(Instant::now()) + idle),
        }
    }

    pub fn overdue(&self, patience: Duration, idle: Duration, rest: Rest) -> Option<Overdue> {
        let beat = *self.beat();
        if beat.in_flight > 0 {
            return None;
        }
        if rest == Rest::Head && self.head_since().is_some_and(|since| since.elapsed() >= patience) {
            return Some(Overdue::Head);
        }
        (beat.rests_since.elapsed() >= idle).then_some(Overdue::Rest)
    }

    /// Whether there ever was a request.
    pub fn has_asked(&self) -> bool {
        self.beat().last.is_some()
    }

    /// How much the connection is missed, and since when it did nothing: the
    /// least goes first. `None` where it may not be asked to go.
    pub fn claim(&self, now: Instant) -> Option<(Claim, Instant)> {
        /// In which a client that has connected says what it wants.
        const FRESH: Duration = Duration::from_millis(250);
        /// In which a request comes, is read and answered.
        const UNDER_WAY: Duration = Duration::from_secs(1);
        let beat = *self.beat();
        let claim = match beat.last {
            None if now.duration_since(self.began) >= FRESH => Claim::Silent,
            None => Claim::Fresh,
            Some(_) if beat.in_flight == 0 => Claim::Resting,
            Some(last) if now.duration_since(last) >= UNDER_WAY => Claim::Hanging,
            Some(_) => return None,
        };
        Some((claim, beat.last.unwrap_or(self.began)))
    }
}

/// What a connection has to say for itself when room is short.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Claim {
    /// It has not made a request, though it had the time.
    Silent,
    /// It has made requests, and makes none now.
    Resting,
    /// It has just come.
    Fresh,
    /// It has a request under way that does not get on.
    Hanging,
}

//! When a connection last had a request or sent bytes, and so when it is overdue.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What bytes between two requests are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum BetweenRequests {
    /// The beginning of the next request's head.
    NextHead,
    /// Frames of HTTP/2, such as pings and settings.
    Frames,
}

/// What a connection has taken too long for.
pub enum Overdue {
    Head,
    Idle,
}

/// When a connection last had a request or sent bytes.
pub struct ConnectionActivity {
    began: Instant,
    state: Mutex<State>,
    /// When bytes first came since the last request, in milliseconds after `began`, plus
    /// one; 0 if none came.
    head_since: AtomicU64,
}

#[derive(Clone, Copy)]
struct State {
    in_flight: usize,
    idle_since: Instant,
    /// When a request began or ended last.
    last: Option<Instant>,
}

impl ConnectionActivity {
    pub fn new() -> Self {
        let began = Instant::now();
        Self {
            began,
            state: Mutex::new(State { in_flight: 0, idle_since: began, last: None }),
            head_since: AtomicU64::new(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request's head is complete.
    pub fn begin(&self) {
        let mut state = self.state();
        state.in_flight += 1;
        state.last = Some(Instant::now());
        drop(state);
        self.head_since.store(0, Ordering::Relaxed);
    }

    /// A request was answered.
    pub fn end(&self) {
        let mut state = self.state();
        state.in_flight = state.in_flight.saturating_sub(1);
        state.idle_since = Instant::now();
        state.last = Some(state.idle_since);
        drop(state);
        // The rest of a body that was refused is not the head of a request.
        self.head_since.store(0, Ordering::Relaxed);
    }

    /// Starts the idle time once more, so that the connection can end by itself.
    pub fn restart_idle_time(&self) {
        self.state().idle_since = Instant::now();
    }

    /// Bytes came.
    pub fn bytes_came(&self) {
        if self.head_since.load(Ordering::Relaxed) == 0 {
            let since = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
            self.head_since.store(since + 1, Ordering::Relaxed);
        }
    }

    fn head_since(&self) -> Option<Instant> {
        let since = self.head_since.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.began + Duration::from_millis(since))
    }

    /// When the connection may become overdue next.
    pub fn due(&self, timeout: Duration, idle: Duration, between: BetweenRequests) -> Instant {
        let state = *self.state();
        let head = (between == BetweenRequests::NextHead && state.in_flight == 0)
            .then(|| self.head_since())
            .flatten();
        match head {
            Some(since) => since + timeout,
            // Bytes may come at any time, and their timeout begins then.
            None => (Instant::now() + timeout).min(state.idle_since.max(Instant::now()) + idle),
        }
    }

    /// What the connection has taken too long for, if anything.
    pub fn overdue(&self, timeout: Duration, idle: Duration, between: BetweenRequests) -> Option<Overdue> {
        let state = *self.state();
        if state.in_flight > 0 {
            return None;
        }
        if between == BetweenRequests::NextHead
            && self.head_since().is_some_and(|since| since.elapsed() >= timeout)
        {
            return Some(Overdue::Head);
        }
        (state.idle_since.elapsed() >= idle).then_some(Overdue::Idle)
    }

    /// Whether there has been any request.
    pub fn has_had_a_request(&self) -> bool {
        self.state().last.is_some()
    }

    /// How useful the connection is, and since when it has done nothing: the least useful
    /// one is closed first. `None` where it must not be closed.
    pub fn priority(&self, now: Instant) -> Option<(Priority, Instant)> {
        /// How long a client that has connected may take to send its first request.
        const NEW: Duration = Duration::from_millis(250);
        /// How long it usually takes to read and answer a request.
        const UNDER_WAY: Duration = Duration::from_secs(1);
        let state = *self.state();
        let priority = match state.last {
            None if now.duration_since(self.began) >= NEW => Priority::NeverAsked,
            None => Priority::New,
            Some(_) if state.in_flight == 0 => Priority::Idle,
            Some(last) if now.duration_since(last) >= UNDER_WAY => Priority::Stalled,
            Some(_) => return None,
        };
        Some((priority, state.last.unwrap_or(self.began)))
    }
}

/// How useful a connection is. Where there are too many, the first variant is closed
/// first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Priority {
    /// It has made no request, though it had time for one.
    NeverAsked,
    /// It has made requests, and makes none now.
    Idle,
    /// It is new.
    New,
    /// It has a request that makes no progress.
    Stalled,
}

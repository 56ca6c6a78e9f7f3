//! Limits the bytes that the bodies of all requests in flight hold together.
//!
//! No connection may take all of them. Where all are taken, the slowest body is broken
//! off for the next one, so a client that opens ten thousand bodies and sends nothing
//! shuts nobody out (`tests/receiver/shares.rs`). A semaphore would let that client keep
//! what it took, and the limits of tonic and tower count requests, not bytes.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// A limit in bytes, shared by all requests.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    used: AtomicUsize,
    peak: AtomicUsize,
    open_requests: Mutex<OpenRequests>,
    /// How many requests wait for room. Bytes that become free go to them, not to
    /// requests that come again at once.
    waiting: AtomicUsize,
    /// Notified when bytes are given back.
    freed: Notify,
}

/// The requests that hold bytes, in the order of their arrival.
#[derive(Default, Debug)]
struct OpenRequests {
    next: u64,
    open: BTreeMap<u64, Arc<OpenRequest>>,
}

/// One request.
#[derive(Debug)]
struct OpenRequest {
    came: Instant,
    /// How much of its body has come.
    read: AtomicUsize,
    held: AtomicUsize,
    /// Whether its body is complete, so that the request ends by itself.
    is_whole: AtomicBool,
    is_leaving: AtomicBool,
    revoke: Notify,
}

impl OpenRequest {
    /// Bytes that came a second, if the request has had `stalled_after` to send its body
    /// and has not sent it. The slowest goes first. `None` where it must not be asked for
    /// its bytes.
    fn pace(&self, stalled_after: Duration) -> Option<u128> {
        let age = self.came.elapsed();
        let may_go = !self.is_whole.load(Ordering::Relaxed) && !self.is_leaving.load(Ordering::Relaxed);
        let read = self.read.load(Ordering::Relaxed) as u128;
        (may_go && age >= stalled_after).then(|| read * 1_000 / age.as_millis().max(1))
    }
}

impl Budget {
    /// What one connection, and so one request, may take of the whole: three quarters. So
    /// no client's first request is refused because of another client.
    const MOST: (usize, usize) = (3, 4);
    /// The part of the limit that is asked back at a time, so that not every request has
    /// to look for bytes.
    const AT_ONCE: usize = 8;

    /// `limit` is in bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            used: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            open_requests: Mutex::default(),
            waiting: AtomicUsize::new(0),
            freed: Notify::new(),
        }
    }

    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// The most bytes that one request may hold, even if there is no other.
    pub const fn most_of_one_request(&self) -> usize {
        self.limit / Self::MOST.1 * Self::MOST.0
    }

    /// Bytes that are held now.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// The most bytes that were ever held at a time.
    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    /// A connection's share. Its bodies make room for others once they take longer than
    /// `stalled_after`.
    pub(super) fn share(self: &Arc<Self>, stalled_after: Duration) -> Arc<Share> {
        Arc::new(Share {
            budget: Arc::clone(self),
            used: AtomicUsize::new(0),
            is_waiting: AtomicBool::new(false),
            stalled_after,
        })
    }

    fn open_requests(&self) -> MutexGuard<'_, OpenRequests> {
        self.open_requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, bytes: usize) -> Result<(), Full> {
        let used = add(&self.used, bytes, self.limit)?;
        self.peak.fetch_max(used, Ordering::Relaxed);
        Ok(())
    }

    /// Asks the slowest requests to give back this many bytes.
    fn ask_back(&self, bytes: usize, stalled_after: Duration) {
        let open_requests = self.open_requests();
        let held = |request: &OpenRequest| request.held.load(Ordering::Relaxed);
        let leaving =
            open_requests.open.values().filter(|request| request.is_leaving.load(Ordering::Relaxed));
        let mut coming: usize = leaving.map(|request| held(request)).sum();
        if coming >= bytes {
            return;
        }
        let wanted = bytes.max(self.limit / Self::AT_ONCE);
        let stalled =
            open_requests.open.values().filter_map(|request| Some((request.pace(stalled_after)?, request)));
        let mut stalled: Vec<_> = stalled.collect();
        stalled.sort_by_key(|(pace, _)| *pace);
        for (_, request) in stalled {
            if coming >= wanted {
                break;
            }
            coming += held(request);
            request.is_leaving.store(true, Ordering::Relaxed);
            request.revoke.notify_one();
        }
    }
}

/// Adds `bytes`, unless the sum exceeds `limit`. Returns the sum.
fn add(used: &AtomicUsize, bytes: usize, limit: usize) -> Result<usize, Full> {
    let fits = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= limit);
    let before = used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
    before.map(|before| before + bytes).map_err(|_| Full::Now)
}

/// There is no room for this many bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Full {
    /// Other requests hold it at the moment.
    Now,
    /// There never will be: it is more than one request may hold.
    Ever,
}

/// The bytes that one connection holds.
#[derive(Debug)]
pub struct Share {
    budget: Arc<Budget>,
    used: AtomicUsize,
    /// Whether a request of this connection waits for room. A waiting request has bytes
    /// that were read ahead and are in no budget, so only one may wait.
    is_waiting: AtomicBool,
    stalled_after: Duration,
}

impl Share {
    /// A reservation for a request, of no bytes yet.
    pub fn open(self: &Arc<Self>) -> Reservation {
        let request = Arc::new(OpenRequest {
            came: Instant::now(),
            read: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            is_whole: AtomicBool::new(false),
            is_leaving: AtomicBool::new(false),
            revoke: Notify::new(),
        });
        let mut open_requests = self.budget.open_requests();
        let number = open_requests.next;
        open_requests.next += 1;
        open_requests.open.insert(number, Arc::clone(&request));
        drop(open_requests);
        Reservation { share: Arc::clone(self), number, request, bytes: 0 }
    }
}

/// Marks that a request of a connection waits, until it is dropped.
struct Waiting<'s>(&'s Share);

impl<'s> Waiting<'s> {
    /// `None` where another request of the connection waits.
    fn of(share: &'s Share) -> Option<Self> {
        if share.is_waiting.swap(true, Ordering::Relaxed) {
            return None;
        }
        share.budget.waiting.fetch_add(1, Ordering::Relaxed);
        Some(Self(share))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.budget.waiting.fetch_sub(1, Ordering::Relaxed);
        self.0.is_waiting.store(false, Ordering::Relaxed);
    }
}

/// Bytes that one request holds. They are given back when it is dropped.
#[derive(Debug)]
pub struct Reservation {
    share: Arc<Share>,
    number: u64,
    request: Arc<OpenRequest>,
    bytes: usize,
}

impl Reservation {
    /// Takes this many more if they are free.
    pub fn try_reserve(&mut self, bytes: usize) -> Result<(), Full> {
        if bytes > self.most_more() {
            return Err(Full::Ever);
        }
        let Share { budget, used, .. } = &*self.share;
        add(used, bytes, budget.most_of_one_request())?;
        if let Err(full) = budget.take(bytes) {
            used.fetch_sub(bytes, Ordering::Relaxed);
            return Err(full);
        }
        self.bytes += bytes;
        self.request.held.store(self.bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Takes this many more. Waits briefly for the requests that are asked to give theirs
    /// back.
    pub async fn reserve(&mut self, bytes: usize) -> Result<(), Full> {
        if bytes > self.most_more() {
            return Err(Full::Ever);
        }
        if self.share.budget.waiting.load(Ordering::Relaxed) == 0 && self.try_reserve(bytes).is_ok() {
            return Ok(());
        }
        let share = Arc::clone(&self.share);
        let Some(_waiting) = Waiting::of(&share) else { return Err(Full::Now) };
        self.wait_for(bytes).await
    }

    async fn wait_for(&mut self, bytes: usize) -> Result<(), Full> {
        const PATIENCE: Duration = Duration::from_secs(2);
        const AGAIN: Duration = Duration::from_millis(50);
        let share = Arc::clone(&self.share);
        let until = Instant::now() + PATIENCE;
        loop {
            let mut freed = pin!(share.budget.freed.notified());
            freed.as_mut().enable();
            match self.try_reserve(bytes) {
                Err(Full::Now) if Instant::now() < until => {}
                done => return done,
            }
            share.budget.ask_back(bytes, share.stalled_after);
            // Other requests may stall in the meantime.
            let _ = tokio::time::timeout(AGAIN, freed).await;
        }
    }

    /// How many more bytes the request may ever take.
    pub fn most_more(&self) -> usize {
        self.share.budget.most_of_one_request().saturating_sub(self.bytes)
    }

    /// Gives back this many of its bytes.
    pub fn shrink(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.request.held.store(self.bytes, Ordering::Relaxed);
        let Share { budget, used, .. } = &*self.share;
        used.fetch_sub(bytes, Ordering::Relaxed);
        budget.used.fetch_sub(bytes, Ordering::Relaxed);
        budget.freed.notify_waiters();
    }

    /// Notes that this much more of the body has come.
    pub fn read(&self, bytes: usize) {
        self.request.read.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Notes that the body is complete: from now on the request ends by itself.
    pub fn is_whole(&self) {
        self.request.is_whole.store(true, Ordering::Relaxed);
    }

    /// Completes when the request has to make room for another.
    pub fn is_revoked(&self) -> impl Future<Output = ()> + use<> {
        let request = Arc::clone(&self.request);
        async move { request.revoke.notified().await }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.share.budget.open_requests().open.remove(&self.number);
        self.shrink(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: Duration = Duration::MAX;

    fn budget(limit: usize) -> Arc<Budget> {
        Arc::new(Budget::new(limit))
    }

    fn wait(what: impl Future<Output = Result<(), Full>>) -> Result<(), Full> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(what)
    }

    #[test]
    fn what_is_dropped_is_given_back() {
        let budget = budget(100);
        let (mut first, mut second) = (budget.share(NEVER).open(), budget.share(NEVER).open());
        assert_eq!(first.try_reserve(60), Ok(()));
        assert_eq!(second.try_reserve(41), Err(Full::Now));
        assert_eq!(second.try_reserve(usize::MAX), Err(Full::Ever));
        assert_eq!(second.try_reserve(40), Ok(()));
        first.shrink(1000);
        assert_eq!((budget.used(), budget.peak()), (40, 100));
        drop((first, second));
        assert_eq!(budget.used(), 0);
        assert!(budget.open_requests().open.is_empty());
    }

    #[test]
    fn one_connection_gets_a_share_and_what_is_more_than_that_is_never_taken() {
        let budget = budget(100);
        let share = budget.share(NEVER);
        let (mut first, mut second) = (share.open(), share.open());
        assert_eq!(first.try_reserve(76), Err(Full::Ever), "idle or not");
        assert_eq!(first.try_reserve(50), Ok(()));
        assert_eq!(second.try_reserve(26), Err(Full::Now), "its connection has the rest");
        assert_eq!(budget.share(NEVER).open().try_reserve(50), Ok(()), "another has not");
    }

    #[test]
    fn the_slowest_body_makes_room() {
        let budget = budget(1_000);
        let bodies: Vec<_> = [30, 0, 10, 20]
            .map(|read| {
                let mut body = budget.share(Duration::ZERO).open();
                body.try_reserve(250).expect("there is room");
                body.read(read);
                body
            })
            .into();
        bodies[1].is_whole();
        std::thread::sleep(Duration::from_millis(5));
        let asked = || bodies.iter().map(|body| body.request.is_leaving.load(Ordering::Relaxed));
        assert_eq!(wait(async { budget.share(Duration::ZERO).open().reserve(100).await }), Err(Full::Now));
        // The second ends by itself. Nobody has gone, so nobody else is asked.
        assert_eq!(asked().collect::<Vec<_>>(), [false, false, true, false]);
        let mut next = budget.share(Duration::ZERO).open();
        let made = wait(async {
            let revoke = async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                drop(bodies);
            };
            tokio::join!(next.reserve(100), revoke).0
        });
        assert_eq!(made, Ok(()));
    }

    #[test]
    fn one_request_of_a_connection_waits_at_a_time() {
        let budget = budget(100);
        let mut other = budget.share(NEVER).open();
        other.try_reserve(75).expect("there is room");
        let share = budget.share(NEVER);
        let (mut first, mut second) = (share.open(), share.open());
        let began = Instant::now();
        let made = wait(async {
            tokio::select! {
                made = second.reserve(50) => made,
                made = async { tokio::task::yield_now().await; first.reserve(50).await } => made,
            }
        });
        assert_eq!(made, Err(Full::Now));
        assert!(began.elapsed() < Duration::from_secs(1), "the second was told at once");
    }
}

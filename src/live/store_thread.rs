//! Watches a store that spans are exported to: a thread asks it again and again for what came
//! since (`store_turn.rs`). It holds no lock while it waits for an answer.
//!
//! While the store does not answer, time stands still for the session ([`Session::answered`]):
//! what nobody could be asked for is not missing.

use std::mem::{Discriminant, discriminant};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::choosing::described;
use super::counted::counted;
use super::notice::SessionNotice;
use super::session::Session;
use super::store_turn::{Reach, Turns};
use crate::model::DatabaseReport;
use crate::query::clickhouse::{ClickhouseUrl, Client, Limits, QueryError, Store, find};

/// Which store to watch, and how.
#[derive(Clone)]
pub struct StoreTarget {
    pub url: ClickhouseUrl,
    /// Its table of spans, where it has another name than usual.
    pub table: Option<String>,
    pub limits: Limits,
    pub reach: Reach,
    /// How often it is asked.
    pub every: Duration,
}

impl StoreTarget {
    /// The default interval.
    pub const EVERY: Duration = Duration::from_secs(30);
    /// The default of [`Reach::overlap`]: a Collector and the store's own buffers hold spans,
    /// and a request may last.
    pub const OVERLAP: Duration = Duration::from_mins(2);

    /// The shortest time for which nothing may come for a hand-off before what it lacks counts
    /// as missing: it was asked for twice since, and what was late had the overlap to come.
    pub fn settle(every: Duration, overlap: Duration) -> Duration {
        every.saturating_mul(2).saturating_add(overlap)
    }
}

/// The thread that watches.
#[derive(Debug)]
pub struct StoreThread {
    feed: Arc<Feed>,
    thread: JoinHandle<()>,
    place: String,
}

/// What the thread and its owner share.
#[derive(Debug)]
struct Feed {
    session: Arc<Session>,
    stop: AtomicBool,
    /// Whether it asks once more when it is to stop.
    asks_once_more: AtomicBool,
    /// Whether nobody waits any more.
    is_over: AtomicBool,
    /// Ends the question that is asked.
    interrupted: Arc<AtomicBool>,
}

impl StoreThread {
    /// Asks for the first time, and begins to watch.
    ///
    /// # Errors
    ///
    /// [`QueryError`], at the first question that is not answered.
    pub fn start(session: &Arc<Session>, target: &StoreTarget) -> Result<Self, QueryError> {
        let feed = Arc::new(Feed {
            session: Arc::clone(session),
            stop: AtomicBool::new(false),
            asks_once_more: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            interrupted: Arc::default(),
        });
        let (opened, answer) = channel();
        let (own, target) = (Arc::clone(&feed), target.clone());
        let thread = thread::spawn(move || watch(&own, &target, &opened));
        match answer.recv() {
            Ok(place) => Ok(Self { feed, thread, place: place? }),
            // It panicked, and has said so.
            Err(_) => std::panic::resume_unwind(thread.join().expect_err("it sent nothing")),
        }
    }

    /// What is watched: the URL without its password, and the table.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Ends the question that is asked, or asks once more, and has the store count what there
    /// was for the report. It gives up after ten seconds, or once `is_told_again`. After one
    /// second it says what it waits for.
    #[allow(clippy::disallowed_methods, reason = "how long to wait is no evidence")]
    pub fn stop(self, asks_once_more: bool, is_told_again: &mut dyn FnMut() -> bool) {
        const TIMEOUT: Duration = Duration::from_secs(10);
        /// A question ends within moments, unless the name of a host is still looked up.
        const MOMENT: Duration = Duration::from_secs(1);
        const SAID: Duration = Duration::from_secs(1);
        const TICK: Duration = Duration::from_millis(5);
        let Self { feed, thread, .. } = self;
        let begun = Instant::now();
        let (mut was_said, mut over) = (false, None);
        feed.asks_once_more.store(asks_once_more, Ordering::SeqCst);
        feed.stop.store(true, Ordering::SeqCst);
        if !asks_once_more {
            feed.interrupted.store(true, Ordering::SeqCst);
        }
        while !thread.is_finished() && over.is_none_or(|over: Instant| over.elapsed() < MOMENT) {
            thread.thread().unpark();
            thread::sleep(TICK);
            if over.is_none() && (begun.elapsed() >= TIMEOUT || is_told_again()) {
                over = Some(Instant::now());
                feed.is_over.store(true, Ordering::SeqCst);
                feed.interrupted.store(true, Ordering::SeqCst);
            }
            if begun.elapsed() >= SAID && over.is_none() && !was_said {
                was_said = true;
                feed.session.notice(&SessionNotice::WaitsForStore);
            }
        }
        if thread.is_finished() {
            thread.join().unwrap_or_else(|cause| std::panic::resume_unwind(cause));
        }
    }
}

fn watch(feed: &Feed, target: &StoreTarget, opened: &Sender<Result<String, QueryError>>) {
    let interrupted = Arc::clone(&feed.interrupted);
    let client = Client::new(target.url.clone(), target.limits, interrupted, Box::new(|_| ()));
    let begun = client.and_then(|client| find(client, target.table.as_deref())).and_then(|store| {
        let mut watch = Watch { feed, target, store, turns: Turns::default() };
        watch.turn()?;
        Ok(watch)
    });
    match begun {
        Ok(mut watch) => {
            let table = &watch.store.table;
            let place = format!("{} {}.{}", watch.store.client().shown(), table.database, table.name);
            // Whoever started it waits for this.
            let _ = opened.send(Ok(place));
            watch.go_on();
            watch.finish();
        }
        Err(error) => drop(opened.send(Err(error))),
    }
}

/// The store while it is watched.
struct Watch<'w> {
    feed: &'w Feed,
    target: &'w StoreTarget,
    store: Store<'w>,
    turns: Turns,
}

impl Watch<'_> {
    fn turn(&mut self) -> Result<(), QueryError> {
        let session = &self.feed.session;
        self.turns.next(&mut self.store, &self.target.reach, session)?;
        session.counted(self.described());
        Ok(())
    }

    /// What was asked for so far. Nothing is counted of it.
    fn described(&self) -> DatabaseReport {
        let margin = self.target.reach.margin;
        let cost = self.store.client().cost();
        let described = DatabaseReport {
            margin_s: margin.as_secs(),
            is_sample: self.turns.is_sample,
            questions: cost.questions,
            read_rows: cost.rows,
            read_bytes: cost.bytes,
            ..described(&self.store)
        };
        match self.turns.window(margin) {
            Some(window) => DatabaseReport { from: window.from, to: window.to, ..described },
            None => described,
        }
    }

    /// A turn each time that it is due, until it is to stop. What goes wrong is said when it
    /// begins, and when it is over.
    fn go_on(&mut self) {
        let (Feed { session, stop, .. }, every) = (self.feed, self.target.every);
        let mut away: Option<Discriminant<QueryError>> = None;
        let mut was_slow = false;
        let mut next = session.age() + every;
        loop {
            while let Some(left) = next.checked_sub(session.age()).filter(|left| !left.is_zero())
                && !stop.load(Ordering::SeqCst)
            {
                thread::park_timeout(left);
            }
            if stop.load(Ordering::SeqCst) {
                return;
            }
            let began = session.age();
            match self.turn() {
                Ok(()) if away.take().is_some() => session.notice(&SessionNotice::StoreBack),
                Ok(()) => {}
                Err(error) if error.is_interruption() => {}
                Err(error) => {
                    let kind = Some(discriminant(&error));
                    if away != kind {
                        away = kind;
                        session.notice(&SessionNotice::StoreAway { error, every });
                    }
                }
            }
            let took = session.age().saturating_sub(began);
            if took > every && away.is_none() && !was_slow {
                was_slow = true;
                session.notice(&SessionNotice::StoreIsSlow { every, took });
            }
            // At most half of the time is the store's.
            next = began + every.max(took.saturating_mul(2));
        }
    }

    /// Asks once more, if that is wanted, and has the store count what there was.
    fn finish(&mut self) {
        let Feed { session, asks_once_more, is_over, interrupted, .. } = self.feed;
        interrupted.store(false, Ordering::SeqCst);
        // Set before the interruption, so that neither is overlooked.
        if is_over.load(Ordering::SeqCst) {
            return;
        }
        let done = if asks_once_more.load(Ordering::SeqCst) { self.turn() } else { Ok(()) };
        if let Err(error) = done.and_then(|()| self.count()) {
            session.notice(&SessionNotice::NotCounted(error));
        }
    }

    /// Has the store count all that it was asked for.
    fn count(&self) -> Result<(), QueryError> {
        /// How many hand-offs of each group are looked up among those that were fetched.
        const LOOKED_UP: usize = 400;
        let Reach { margin, selection, .. } = &self.target.reach;
        let Some(window) = self.turns.window(*margin) else { return Ok(()) };
        let extent = self.store.extent(&window)?;
        let survey = self.store.survey(&window, &selection.filter, LOOKED_UP)?;
        let database = DatabaseReport { spans: extent.spans, traces: extent.traces, ..self.described() };
        let session = &self.feed.session;
        let database = counted(&self.store, survey, &session.watch().evidence, database);
        session.counted(database);
        Ok(())
    }
}

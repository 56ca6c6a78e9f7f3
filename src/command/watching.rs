//! A broker that is watched beside a receiver: a thread looks at it again and
//! again, another overhears it where that was asked for. Neither holds a lock
//! while it waits for the network.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::session::Session;
use crate::broker::{BrokerError, BrokerUrl, Glimpse, Monitor, Watch, WatchOptions};
use crate::bundle::{LiveBroker, Reading};
use crate::evidence::{Keep, Naming};
use crate::report::text::safe;
use crate::wire::celery::ReadOptions;

/// What to watch.
#[derive(Debug)]
pub struct Target {
    pub broker: BrokerUrl,
    pub result_backend: Option<BrokerUrl>,
    pub naming: Naming,
    /// Whether to overhear every command through `MONITOR`.
    pub monitor: bool,
    /// How often the broker is looked at. A look at a quiet broker costs it a
    /// dozen commands in one round trip.
    pub every: Duration,
}

impl Target {
    /// How often unless there is a reason.
    pub const EVERY: Duration = Duration::from_millis(250);
}

/// The threads that watch.
#[derive(Debug)]
pub struct Watching {
    feed: Arc<Feed>,
    threads: Vec<JoinHandle<()>>,
}

/// What both threads feed.
#[derive(Debug)]
struct Feed {
    session: Arc<Session>,
    live: Mutex<LiveBroker>,
    name: String,
    every: Duration,
    stop: AtomicBool,
    /// How many looks have been taken in.
    looks: Mutex<u64>,
    looked: Condvar,
}

impl Watching {
    /// How long the monitor waits for something to be said before it looks
    /// whether it is to stop.
    const PATIENCE: Duration = Duration::from_millis(200);

    /// Connects, and begins to watch.
    ///
    /// # Errors
    ///
    /// [`BrokerError`], where the broker cannot be reached or read, or may not
    /// be overheard.
    pub fn start(session: &Arc<Session>, target: &Target) -> Result<Self, BrokerError> {
        let options = WatchOptions { key_prefix: target.naming.prefix.clone(), ..WatchOptions::default() };
        let watch = Watch::open(&target.broker, target.result_backend.as_ref(), options)?;
        let monitor = target
            .monitor
            .then(|| Monitor::open(&target.broker, target.result_backend.as_ref()))
            .transpose()?;
        let reading =
            Reading { keep: Keep::Each, options: ReadOptions::default(), naming: target.naming.clone() };
        let feed = Arc::new(Feed {
            session: Arc::clone(session),
            live: Mutex::new(LiveBroker::new(target.broker.name(), reading)),
            name: target.broker.name(),
            every: target.every,
            stop: AtomicBool::new(false),
            looks: Mutex::new(0),
            looked: Condvar::new(),
        });
        let spawn = |run: Box<dyn FnOnce(&Feed) + Send>| {
            let feed = Arc::clone(&feed);
            thread::spawn(move || run(&feed))
        };
        let mut threads = vec![spawn(Box::new(|feed| feed.look_on(watch)))];
        threads.extend(monitor.map(|monitor| spawn(Box::new(|feed| feed.overhear(monitor)))));
        Ok(Self { feed, threads })
    }

    /// Looks now, and returns when what is there by now is in the evidence; or
    /// after two seconds, where the broker does not answer.
    pub fn look_now(&self) {
        const PATIENCE: Duration = Duration::from_secs(2);
        let feed = &self.feed;
        let looks = feed.looks.lock().unwrap_or_else(PoisonError::into_inner);
        // One look may be under way that began too early.
        let enough = *looks + 2;
        self.threads.iter().for_each(|thread| thread.thread().unpark());
        let waited = feed.looked.wait_timeout_while(looks, PATIENCE, |looks| {
            self.threads.iter().for_each(|thread| thread.thread().unpark());
            *looks < enough
        });
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Looks once more, and ends.
    pub fn stop(self) {
        self.feed.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.thread().unpark();
            thread.join().unwrap_or_else(|cause| std::panic::resume_unwind(cause));
        }
    }
}

impl Feed {
    fn look_on(&self, mut watch: Watch) {
        loop {
            let is_last = self.stop.load(Ordering::Relaxed);
            let unfinished = self.session.watch().unfinished();
            match watch.look(&unfinished) {
                Ok(Some(glimpse)) => self.take(&glimpse),
                // It is away, which was said.
                Ok(None) => {}
                Err(error) => anstream::eprintln!(
                    "tracelink: {error}\n  it is tried again; what is received goes on being judged"
                ),
            }
            *self.looks.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            self.looked.notify_all();
            if is_last {
                return;
            }
            thread::park_timeout(self.every);
        }
    }

    fn take(&self, glimpse: &Glimpse) {
        if glimpse.is_back {
            anstream::eprintln!("tracelink: the broker is back");
        }
        if let Some(why) = &glimpse.results_failed {
            anstream::eprintln!("tracelink: results cannot be read: {}", safe(why));
        }
        if glimpse.is_news {
            self.session.arrived();
            if let Some(keeper) = self.session.keeper() {
                let complete = glimpse.complete_since.is_some();
                keeper.snapshot(&self.name, glimpse.at, complete, glimpse.lines.clone());
            }
        }
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let mut watch = self.session.watch();
        self.session.set_time(&mut watch);
        live.look(&mut watch.evidence, glimpse.at, glimpse.complete_since, &glimpse.lines);
        watch.make_room();
    }

    fn overhear(&self, mut monitor: Monitor) {
        while !self.stop.load(Ordering::Relaxed) {
            let heard = match monitor.hear(Watching::PATIENCE) {
                Ok(heard) if heard.is_empty() => continue,
                Ok(heard) => heard,
                Err(error) => {
                    anstream::eprintln!(
                        "tracelink: {error}\n  from now on messages are seen only where they wait"
                    );
                    return;
                }
            };
            self.session.arrived();
            let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
            let mut watch = self.session.watch();
            self.session.set_time(&mut watch);
            for overheard in &heard {
                live.overheard(&mut watch.evidence, overheard.at, &overheard.line);
            }
            watch.make_room();
        }
    }
}

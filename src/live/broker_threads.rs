//! Watches a broker beside a receiver: one thread looks at it again and again, another
//! listens to `MONITOR` if the user asked for that. Neither holds a lock while it waits for
//! the network.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::broker_looks::BrokerLooks;
use super::notice::SessionNotice;
use super::session::Session;
use crate::broker::redis::{BrokerError, BrokerUrl, BrokerWatch, Look, Monitor, MonitoredKey, WatchOptions};
use crate::bundle::EvidenceOptions;
use crate::wire::celery::redis_layout::Naming;

/// What to watch.
#[derive(Debug)]
pub struct BrokerTarget {
    pub broker: BrokerUrl,
    pub result_backend: Option<BrokerUrl>,
    /// The prefix of each result's key.
    pub result_prefix: String,
    pub naming: Naming,
    /// Whether to listen to every command through `MONITOR`.
    pub monitor: bool,
    /// How often the broker is looked at. A look at a quiet broker costs it a
    /// dozen commands in one round trip.
    pub every: Duration,
}

impl BrokerTarget {
    /// The default interval.
    pub const EVERY: Duration = Duration::from_millis(250);
}

/// The threads that watch.
#[derive(Debug)]
pub struct BrokerThreads {
    feed: Arc<Feed>,
    threads: Vec<JoinHandle<()>>,
}

/// What both threads feed.
#[derive(Debug)]
struct Feed {
    session: Arc<Session>,
    live: Mutex<BrokerLooks>,
    name: String,
    every: Duration,
    stop: AtomicBool,
    /// Whether the broker is about to go, so that its absence is no error.
    is_abandoned: AtomicBool,
    /// Whether the next look must visit every name again.
    is_to_walk: AtomicBool,
    /// How many looks have been taken.
    looks: Mutex<u64>,
    looked: Condvar,
}

impl BrokerThreads {
    /// How long the monitor waits for input before it checks whether to stop.
    const TIMEOUT: Duration = Duration::from_millis(200);

    /// Connects, and begins to watch.
    ///
    /// # Errors
    ///
    /// [`BrokerError`] if the broker cannot be reached or read, or does not allow
    /// `MONITOR`.
    pub fn start(session: &Arc<Session>, target: &BrokerTarget) -> Result<Self, BrokerError> {
        let usual = WatchOptions::default();
        let options = WatchOptions {
            key_prefix: target.naming.prefix.clone(),
            result_prefix: target.result_prefix.clone(),
            bytes: usual.bytes.min(session.plan().look as u64),
            keys: usual.keys.min(session.plan().keys),
            ..usual
        };
        let watch = BrokerWatch::open(&target.broker, target.result_backend.as_ref(), options)?;
        let (broker, results) = (target.broker.clone(), target.result_backend.clone());
        let open = move || Monitor::open(&broker, results.as_ref());
        let monitor = target.monitor.then(&open).transpose()?;
        let reading = EvidenceOptions { naming: target.naming.clone(), ..EvidenceOptions::default() };
        let feed = Arc::new(Feed {
            session: Arc::clone(session),
            live: Mutex::new(BrokerLooks::new(target.broker.name(), reading, session.plan().remembered)),
            name: target.broker.name(),
            every: target.every,
            stop: AtomicBool::new(false),
            is_abandoned: AtomicBool::new(false),
            is_to_walk: AtomicBool::new(false),
            looks: Mutex::new(0),
            looked: Condvar::new(),
        });
        let spawn = |run: Box<dyn FnOnce(&Feed) + Send>| {
            let feed = Arc::clone(&feed);
            thread::spawn(move || run(&feed))
        };
        let mut threads = vec![spawn(Box::new(|feed| feed.look_on(watch)))];
        threads.extend(monitor.map(|monitor| spawn(Box::new(move |feed| feed.listen(monitor, &open)))));
        Ok(Self { feed, threads })
    }

    /// Looks now, and returns when what is there now is in the evidence, or after two
    /// seconds if the broker does not answer.
    pub fn look_now(&self) {
        const TIMEOUT: Duration = Duration::from_secs(2);
        let feed = &self.feed;
        let looks = feed.looks.lock().unwrap_or_else(PoisonError::into_inner);
        // A look may be under way that began too early.
        let enough = *looks + 2;
        self.threads.iter().for_each(|thread| thread.thread().unpark());
        let waited = feed.looked.wait_timeout_while(looks, TIMEOUT, |looks| {
            self.threads.iter().for_each(|thread| thread.thread().unpark());
            *looks < enough
        });
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// The same, and it finds queues that were created since the last walk over all names.
    /// Otherwise those are found within seconds.
    pub fn look_everywhere_now(&self) {
        self.feed.is_to_walk.store(true, Ordering::Relaxed);
        self.look_now();
    }

    /// Ends without a last look: the broker is about to go.
    pub fn abandon(self) {
        self.feed.is_abandoned.store(true, Ordering::Relaxed);
        self.stop(&mut || false);
    }

    /// Looks once more, and ends. It gives up that look after ten seconds, for a broker
    /// that answers very slowly, or once `is_told_again`. After one second it says what it
    /// waits for.
    #[allow(clippy::disallowed_methods, reason = "how long to wait is no evidence")]
    pub fn stop(self, is_told_again: &mut dyn FnMut() -> bool) {
        const TIMEOUT: Duration = Duration::from_secs(10);
        const SAID: Duration = Duration::from_secs(1);
        const TICK: Duration = Duration::from_millis(5);
        let begun = Instant::now();
        let (mut was_said, mut is_over) = (false, false);
        self.feed.stop.store(true, Ordering::Relaxed);
        self.threads.iter().for_each(|thread| thread.thread().unpark());
        for thread in self.threads {
            while !thread.is_finished() && !is_over {
                thread.thread().unpark();
                thread::sleep(TICK);
                is_over = begun.elapsed() >= TIMEOUT || is_told_again();
                if begun.elapsed() >= SAID && !is_over && !was_said {
                    was_said = true;
                    self.feed.session.notice(&SessionNotice::WaitsForBroker);
                }
            }
            if thread.is_finished() {
                thread.join().unwrap_or_else(|cause| std::panic::resume_unwind(cause));
            } else {
                self.feed.session.notice(&SessionNotice::LastLookMissed);
            }
        }
    }
}

/// How many commands a watch may send to a broker in a second: a hundredth of what it can
/// do. A Redis answers 100,000 simple commands a second and more on one core
/// (<https://redis.io/docs/latest/operate/oss_and_stack/management/optimization/benchmarks/>).
const COMMANDS_A_SECOND: u64 = 1_000;
/// The longest interval between two looks, whatever they cost.
const SLOWEST: Duration = Duration::from_mins(1);
/// From this interval on, it is reported.
const TOLD: Duration = Duration::from_secs(2);

/// How long after a look of this many commands the next one begins.
fn pace(commands: u64) -> Duration {
    Duration::from_millis(commands.saturating_mul(1_000) / COMMANDS_A_SECOND).min(SLOWEST)
}

impl Feed {
    fn look_on(&self, mut watch: BrokerWatch) {
        let mut was_told = false;
        while !self.stop.load(Ordering::Relaxed) {
            let commands = self.look(&mut watch).map_or(0, |look| look.commands);
            let every = self.every.max(pace(commands));
            if every > TOLD && !was_told {
                was_told = true;
                self.session.notice(&SessionNotice::LooksSlowly { every, commands });
            }
            thread::park_timeout(every);
        }
        if !self.is_abandoned.load(Ordering::Relaxed) {
            self.look_for_the_last_time(&mut watch);
        }
    }

    /// Looks until every name that exists now was visited, so that what is nowhere is known
    /// to be nowhere. In a database of millions of keys this takes longer than anybody
    /// waits.
    fn look_for_the_last_time(&self, watch: &mut BrokerWatch) {
        const LOOKS: usize = 25;
        let Some(before) = self.look(watch) else { return };
        let began = before.at;
        let mut last = Some(before);
        watch.walk_again();
        for _ in 0..LOOKS {
            let seen = self.look(watch);
            let goes_on = seen.as_ref().is_some_and(|look| look.complete_since <= Some(began));
            last = seen.or(last);
            if !goes_on {
                break;
            }
        }
        // The last look is kept even if it saw nothing new: it shows that a message has
        // waited until now.
        if let Some(last) = last.filter(|last| !last.is_news) {
            self.keep(&last);
        }
    }

    fn keep(&self, look: &Look) {
        if let Some(saving) = self.session.saving() {
            let complete = look.complete_since.is_some();
            saving.snapshot(&self.name, look.at, complete, look.lines.clone());
        }
    }

    /// Looks once, and returns what was seen.
    fn look(&self, watch: &mut BrokerWatch) -> Option<Look> {
        let unfinished = self.session.watch().unfinished();
        if self.is_to_walk.swap(false, Ordering::Relaxed) {
            watch.walk_again();
        }
        let seen = match watch.look(&unfinished) {
            // `None`: it is away, which was reported.
            Ok(seen) => seen,
            Err(error) => {
                self.session.notice(&SessionNotice::BrokerAway(error));
                None
            }
        };
        seen.iter().for_each(|look| self.take(look));
        *self.looks.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.looked.notify_all();
        seen
    }

    fn take(&self, look: &Look) {
        if look.is_back {
            self.session.notice(&SessionNotice::BrokerBack);
        }
        if !look.other_databases.is_empty() {
            let (broker, other_databases) = (self.name.clone(), look.other_databases.clone());
            self.session.notice(&SessionNotice::WrongDatabase { broker, other_databases });
        }
        if look.is_cluster_node {
            self.session.notice(&SessionNotice::ClusterNode(self.name.clone()));
        }
        if let Some(why) = &look.results_failed {
            self.session.notice(&SessionNotice::ResultsFailed(why.clone()));
        }
        if look.is_news {
            self.keep(look);
        }
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let mut watch = self.session.watch();
        self.session.set_time(&mut watch);
        let Look { at, complete_since, left_out, lines, .. } = look;
        let change = live.look(&mut watch.evidence, *at, *complete_since, *left_out, lines);
        watch.make_room();
        drop((live, watch));
        // Not before it is filed: from then on its end is awaited.
        if look.is_news || !change.gone.is_empty() {
            self.session.arrived();
        }
    }

    /// Listens, and reconnects if the connection is lost.
    fn listen(&self, mut monitor: Monitor, open: &dyn Fn() -> Result<Monitor, BrokerError>) {
        while !self.stop.load(Ordering::Relaxed) {
            let heard = match monitor.read(BrokerThreads::TIMEOUT) {
                Ok(heard) if heard.is_empty() => continue,
                Ok(heard) => heard,
                Err(error) => {
                    self.session.notice(&SessionNotice::MonitorLost(error));
                    let Some(again) = self.again(open) else { return };
                    self.session.notice(&SessionNotice::MonitorBack);
                    monitor = again;
                    continue;
                }
            };
            let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
            let mut watch = self.session.watch();
            self.session.set_time(&mut watch);
            for monitored in &heard {
                live.monitored(&mut watch.evidence, monitored.at, &monitored.line);
            }
            watch.make_room();
            drop((live, watch));
            self.session.arrived();
            if let Some(saving) = self.session.saving() {
                heard
                    .into_iter()
                    .for_each(|MonitoredKey { at, line }| saving.overheard(&self.name, at, line));
            }
        }
    }

    /// Tries for as long as it takes; `None` if it is to stop.
    fn again(&self, open: &dyn Fn() -> Result<Monitor, BrokerError>) -> Option<Monitor> {
        /// After how many rounds of waiting it tries again, at first and at most.
        const FIRST: u32 = 5;
        const LAST: u32 = 150;
        let mut turns = FIRST;
        loop {
            for _ in 0..turns {
                if self.stop.load(Ordering::Relaxed) {
                    return None;
                }
                thread::sleep(BrokerThreads::TIMEOUT);
            }
            if let Ok(monitor) = open() {
                return Some(monitor);
            }
            turns = (turns * 2).min(LAST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_costs_much_is_rare() {
        assert_eq!(pace(30), Duration::from_millis(30));
        assert_eq!(pace(12_000), Duration::from_secs(12));
        assert_eq!(pace(u64::MAX), SLOWEST);
    }
}

//! The stage: starts the processes of a play, sends the orders, waits for what
//! becomes of them, and ends everything in order.
//!
//! Nothing outlives it. Processes are killed where the stage is dropped, by an
//! error or a panic, and end by themselves where it is killed; what they wrote
//! to a broker of the user's is deleted by name.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, ControlFlow};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use super::clock;
use super::error::DemoError;
use super::event::{Event, Halt, Watch, ended, keep_on, tell};
use super::link::{Link, result_key};
use super::orders::{self, Answer};
use super::play::{Cast, Observed, Otlp, Play};
use super::report::Report;
use super::setup::{Client, Role, Setup, Telemetry};
use super::troupe::Troupe;

/// How long a process may take to come up.
const START: Duration = Duration::from_secs(10);
/// How long nothing may move, beside what one piece of work takes and the pause
/// between two orders.
const STILL: Duration = Duration::from_secs(30);
/// What a piece of work takes at a pace of 1.
const WORK: Duration = Duration::from_millis(1_200);
/// How often the stage looks for results.
const LOOK: Duration = Duration::from_millis(15);

/// Where a play is given.
#[derive(Clone, Debug)]
pub struct Options {
    /// This program, which is started again for each process of the play.
    pub program: PathBuf,
    /// A broker of the user's; the embedded one where there is none.
    pub broker: Option<String>,
    /// The receiver.
    pub otlp: Otlp,
    /// How many orders are sent, where the play does not say.
    pub orders: Option<u32>,
    /// Orders a second; one after the other where that is not given.
    pub rate: Option<f64>,
    /// How long work takes: 1 is as long as in the article.
    pub pace: f64,
    /// Goes on until the watcher breaks it off.
    pub keep: bool,
}

impl Options {
    /// How long the stage waits for something to move.
    fn patience(&self) -> Duration {
        let pause = self.rate.and_then(|rate| Duration::try_from_secs_f64(1.0 / rate).ok());
        let work = Duration::try_from_secs_f64(WORK.as_secs_f64() * self.pace).unwrap_or(Duration::MAX);
        STILL.saturating_add(work).saturating_add(pause.unwrap_or_default())
    }
}

/// Gives a play. Returns once everything has ended, by itself or broken off.
///
/// # Errors
///
/// Where a process does not start, the broker is gone, or nothing moves for
/// thirty seconds.
pub fn give(play: &Play, options: &Options, watch: &mut Watch<'_>) -> Result<(), DemoError> {
    let (sender, heard) = channel();
    let mut stage = Stage {
        options,
        sender,
        heard,
        troupe: Troupe::default(),
        broker: String::new(),
        queue: queue_name(options),
        tasks: BTreeMap::new(),
        published: 0,
        answers: 0,
        tags: BTreeSet::new(),
        keys: BTreeSet::new(),
        worker_pids: Vec::new(),
    };
    ended(stage.run(play, watch), watch)
}

/// The queue's name: Celery's own in a broker of our own, one that nobody else
/// has in a broker of the user's.
fn queue_name(options: &Options) -> String {
    match options.broker {
        None => "celery".to_owned(),
        Some(_) => format!("tracelink-demo-{:08x}", fastrand::u32(..)),
    }
}

/// What the stage hears, and from whom.
enum Heard {
    Report(usize, Option<Report>),
    Answer(u32, Result<Answer, DemoError>),
}

struct Stage<'o> {
    options: &'o Options,
    sender: Sender<Heard>,
    heard: Receiver<Heard>,
    troupe: Troupe,
    broker: String,
    queue: String,
    /// Tasks by id, and whether any queue took them.
    tasks: BTreeMap<String, bool>,
    published: usize,
    answers: u32,
    /// What is to be deleted from a broker of the user's.
    tags: BTreeSet<String>,
    keys: BTreeSet<String>,
    worker_pids: Vec<u32>,
}

impl Stage<'_> {
    fn run(&mut self, play: &Play, watch: &mut Watch<'_>) -> Result<(), Halt> {
        let orders = self.options.orders.filter(|_| play.takes_orders()).unwrap_or(play.orders);
        // Where the API is killed no order can follow the first ones.
        let rate = self.options.rate.filter(|_| !play.api_is_killed);
        self.open_broker(watch)?;
        let api = play.api_sdk.telemetry(&self.options.otlp);
        let apis = match &play.cast {
            Cast::Client(client) => {
                self.start("client", Role::Client(client.clone()), &api, play)?;
                Vec::new()
            }
            Cast::TwoApis(other) => {
                let other = Role::Api((**other).clone());
                vec![
                    self.start("API", Role::Api(play.api.clone()), &api, play)?,
                    self.start("API", other, &api, play)?,
                ]
            }
            Cast::Api | Cast::Storefront => {
                vec![self.start("API", Role::Api(play.api.clone()), &api, play)?]
            }
        };
        if play.has_worker {
            let telemetry = play.worker_sdk.telemetry(&self.options.otlp);
            let mut worker = play.worker.clone();
            worker.concurrency = worker.concurrency.max(orders.clamp(1, 4) as usize);
            let number = self.start("worker", Role::Worker(worker), &telemetry, play)?;
            self.worker_pids.extend(self.troupe.pid(number));
        }
        self.await_ready()?;
        let addresses: Vec<_> = apis.iter().filter_map(|number| self.troupe.address(*number)).collect();
        for address in &addresses {
            tell(watch, Event::Api { address: address.clone() })?;
        }

        let sending = match (&play.cast, addresses.first()) {
            (Cast::Storefront, Some(api)) => {
                let client = Client::Storefront { api: api.clone(), orders };
                let telemetry = Observed::healthy("storefront").telemetry(&self.options.otlp);
                let number = self.start("storefront", Role::Client(client), &telemetry, play)?;
                self.await_ready()?;
                self.troupe.begin(number)?;
                None
            }
            (Cast::Client(_), _) => {
                self.troupe.begin_all("client")?;
                None
            }
            _ => Some(orders::send(&addresses, orders, rate, play, {
                let sender = self.sender.clone();
                move |number, answer| {
                    let _ = sender.send(Heard::Answer(number, answer));
                }
            })?),
        };

        // With a rate orders go on coming, and the first one is looked at.
        let first = if rate.is_some() { 1 } else { orders };
        let (first, answers) = (play.first_tasks(first), if sending.is_some() { first } else { 0 });
        self.until(watch, |stage| stage.published >= first && stage.answers >= answers)?;
        tell(watch, Event::Queued { tasks: self.tasks.keys().cloned().collect() })?;
        if play.api_is_killed {
            self.troupe.kill("API");
        }
        self.troupe.begin_all("worker")?;
        self.wait(watch, Duration::from_millis(play.waits_ms))?;
        let all = play.first_tasks(orders);
        let answers = if sending.is_some() { orders } else { 0 };
        self.until(watch, |stage| stage.published >= all && stage.answers >= answers)?;
        if play.has_worker {
            self.await_results(watch)?;
        }
        drop(sending);
        tell(watch, Event::Done)?;
        keep_on(self.options.keep, || self.pump(watch).map(drop))?;
        self.troupe.close("worker");
        self.troupe.close("client");
        self.troupe.close("storefront");
        self.troupe.close("API");
        self.drain(watch)?;
        tell(watch, Event::Closed)
    }

    fn open_broker(&mut self, watch: &mut Watch<'_>) -> Result<(), Halt> {
        let embedded = self.options.broker.is_none();
        if let Some(url) = &self.options.broker {
            self.broker.clone_from(url);
            // Who watches the broker from now on knows the queue by its binding.
            Link::open(url)?.declare(&self.queue)?;
        } else {
            let nothing = Play::default();
            let telemetry = nothing.api_sdk.telemetry(&self.options.otlp);
            let number = self.start("broker", Role::Broker, &telemetry, &nothing)?;
            self.await_ready()?;
            let address = self.troupe.address(number).unwrap_or_default();
            self.broker = format!("{}/0", address.replacen("http", "redis", 1));
        }
        tell(watch, Event::Broker { url: self.broker.clone(), queue: self.queue.clone(), embedded })
    }

    fn start(
        &mut self,
        who: &'static str,
        role: Role,
        telemetry: &Telemetry,
        play: &Play,
    ) -> Result<usize, DemoError> {
        let setup = Setup {
            broker: self.broker.clone(),
            queue: self.queue.clone(),
            pace: self.options.pace.max(play.least_pace),
            telemetry: telemetry.clone(),
            role,
        };
        let sender = self.sender.clone();
        Ok(self.troupe.start(&self.options.program, who, &setup, move |number, report| {
            let _ = sender.send(Heard::Report(number, report));
        })?)
    }

    fn await_ready(&mut self) -> Result<(), Halt> {
        let deadline = clock::now() + START;
        while let Some(who) = self.troupe.who_is_coming() {
            if clock::now() > deadline {
                return Err(DemoError::Slow { who, seconds: START.as_secs() }.into());
            }
            self.hear(LOOK, &mut |_| ControlFlow::Continue(()))?;
        }
        Ok(())
    }

    /// Hears what is said until `is_so`.
    fn until(&mut self, watch: &mut Watch<'_>, is_so: impl Fn(&Self) -> bool) -> Result<(), Halt> {
        let mut moved = clock::now();
        while !is_so(self) {
            if self.pump(watch)? {
                moved = clock::now();
            } else if clock::now() > moved + self.options.patience() {
                return Err(self.still().into());
            }
        }
        Ok(())
    }

    fn still(&self) -> DemoError {
        DemoError::Still { seconds: self.options.patience().as_secs() }
    }

    fn wait(&mut self, watch: &mut Watch<'_>, time: Duration) -> Result<(), Halt> {
        let deadline = clock::now() + time;
        while clock::now() < deadline {
            self.pump(watch)?;
        }
        Ok(())
    }

    /// Hears one thing or waits a moment; whether anything was heard.
    fn pump(&mut self, watch: &mut Watch<'_>) -> Result<bool, Halt> {
        let heard = self.hear(LOOK, watch)?;
        if !heard {
            tell(watch, Event::Waiting)?;
        }
        Ok(heard)
    }

    /// Hears what is left.
    fn drain(&mut self, watch: &mut Watch<'_>) -> Result<(), Halt> {
        while self.hear(LOOK, watch)? {}
        Ok(())
    }

    fn hear(&mut self, patience: Duration, watch: &mut Watch<'_>) -> Result<bool, Halt> {
        match self.heard.recv_timeout(patience) {
            Ok(Heard::Report(number, report)) => self.take(number, report, watch).map(|()| true),
            Ok(Heard::Answer(number, answer)) => {
                let answer = answer?;
                self.answers += 1;
                let Answer { order, status, body } = answer;
                tell(watch, Event::Answered { number, order, status, body })?;
                Ok(true)
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Ok(false),
        }
    }

    fn take(&mut self, number: usize, report: Option<Report>, watch: &mut Watch<'_>) -> Result<(), Halt> {
        report.iter().for_each(|report| self.note(report));
        match report {
            Some(Report::Ready { port }) => self.troupe.is_ready(number, port),
            Some(Report::Published { id, attempt, is_routed, .. }) => {
                self.published += usize::from(attempt == 0);
                self.tasks.insert(id, is_routed);
            }
            Some(Report::Awaited { id, .. }) => drop(self.tasks.entry(id).or_insert(true)),
            Some(Report::Took { id, task, attempt }) => tell(watch, Event::Took { id, task, attempt })?,
            Some(Report::Ended { id, task, attempt, state }) => {
                tell(watch, Event::Ended { id, task, attempt, state })?;
            }
            Some(Report::Done { .. }) => {}
            Some(Report::Failed { why }) => {
                let who = self.troupe.who(number).unwrap_or("process");
                return Err(DemoError::Process { who, why }.into());
            }
            // One that has been closed ends; any other should not.
            None => {
                if let Some(who) = self.troupe.who(number) {
                    let why = "it ended before its time".to_owned();
                    return Err(DemoError::Process { who, why }.into());
                }
            }
        }
        Ok(())
    }

    /// Notes what a process has left in the broker.
    fn note(&mut self, report: &Report) {
        match report {
            Report::Published { id, tag, .. } => {
                self.keys.insert(result_key(id));
                self.tags.insert(tag.clone());
            }
            Report::Awaited { id, keys } => {
                self.keys.insert(result_key(id));
                self.keys.extend(keys.iter().cloned());
            }
            _ => {}
        }
    }

    /// Waits until every task that a queue took has ended.
    fn await_results(&mut self, watch: &mut Watch<'_>) -> Result<(), Halt> {
        const AT_A_TIME: usize = 64;
        let mut link = Link::open(&self.broker)?;
        let mut ended = BTreeSet::new();
        let mut moved = clock::now();
        // Of thousands a few are asked for at a time, in turn.
        let mut last = String::new();
        loop {
            let open = |(id, is_routed): &(&String, &bool)| **is_routed && !ended.contains(*id);
            let rest = self.tasks.range::<String, _>((Bound::Excluded(&last), Bound::Unbounded));
            let mut some: Vec<String> = rest.filter(open).take(AT_A_TIME).map(|(id, _)| id.clone()).collect();
            if some.len() < AT_A_TIME {
                let again = self.tasks.range::<String, _>(..=&last);
                some.extend(again.filter(open).take(AT_A_TIME - some.len()).map(|(id, _)| id.clone()));
            }
            last = some.last().cloned().unwrap_or_default();
            let is_done = some.is_empty();
            for id in some {
                if matches!(link.status(&id)?.as_deref(), Some("SUCCESS" | "FAILURE" | "REVOKED")) {
                    ended.insert(id);
                    moved = clock::now();
                }
            }
            // What a task published is reported before its result is there, by
            // another way: it may come a moment later.
            let heard = self.pump(watch)?;
            if heard {
                moved = clock::now();
            } else if is_done {
                return Ok(());
            } else if clock::now() > moved + self.options.patience() {
                return Err(self.still().into());
            }
        }
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        // The processes first, so that they write no more.
        let broker = self.options.broker.as_ref();
        self.troupe.kill_all();
        if let Some(url) = broker {
            // What was published while the stage fell was said before that.
            while let Ok(heard) = self.heard.try_recv() {
                if let Heard::Report(_, Some(report)) = heard {
                    self.note(&report);
                }
            }
            let tags: Vec<_> = self.tags.iter().cloned().collect();
            let keys = self.keys.iter().cloned().collect();
            // Where the broker is gone there is nothing to clean.
            let _ = Link::open(url).and_then(|mut link| {
                for pid in &self.worker_pids {
                    link.unregister_worker(&super::publish::worker_name(*pid))?;
                }
                link.clean(&self.queue, keys, &tags)
            });
        }
    }
}

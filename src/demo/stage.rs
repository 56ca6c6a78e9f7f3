//! The stage: starts the processes of a play, sends the orders, waits for what
//! becomes of them, and ends everything in order.
//!
//! Nothing outlives it. Processes are killed where the stage is dropped, by an
//! error or a panic, and end by themselves where it is killed; what they wrote
//! to a broker of the user's is deleted by name.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use super::child::Child;
use super::clock;
use super::error::DemoError;
use super::link::{Link, result_key};
use super::orders::{self, Answer};
use super::play::{Cast, Otlp, Play};
use super::report::Report;
use super::setup::{Client, Role, Setup, Telemetry};

/// How long a process may take to come up, and the stage to see a play to its end
/// once nothing moves any more.
const START: Duration = Duration::from_secs(10);
const STILL: Duration = Duration::from_secs(30);
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

/// What happens on the stage, in its order.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// The broker answers at this URL, in which a password may stand.
    Broker { url: String, queue: String, embedded: bool },
    /// A process without a port starts: a real worker, which takes its time.
    Starting { who: String },
    /// A process ended by itself, as the play has it, with the last that it said.
    Gone { who: String, code: Option<i32>, last_words: String },
    /// The API answers at `http://127.0.0.1:port`.
    Api { address: String },
    /// An order was answered.
    Answered { number: u32, order: String, status: u16, body: String },
    /// All first messages are in the queue, and no worker has begun.
    Queued { tasks: Vec<String> },
    /// The broker is to be looked at, where queues may be new.
    Look,
    /// A worker took a task.
    Took { id: String, task: String, attempt: u32 },
    /// An attempt ended, in a state of Celery's.
    Ended { id: String, task: String, attempt: u32, state: String },
    /// Nothing happened for a moment.
    Waiting,
    /// All tasks are done; the processes are still there.
    Done,
    /// The processes have ended, and sent their last spans; the broker is
    /// still there.
    Closed,
}

/// Hears what happens, and may break the play off.
pub type Watch<'w> = dyn FnMut(Event) -> ControlFlow<()> + 'w;

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
        children: BTreeMap::new(),
        next: 0,
        broker: String::new(),
        queue: queue_name(options),
        tasks: BTreeMap::new(),
        published: 0,
        answers: 0,
        tags: BTreeSet::new(),
        keys: BTreeSet::new(),
        worker_pids: Vec::new(),
    };
    match stage.run(play, watch) {
        Ok(()) | Err(Halt::BrokenOff) => Ok(()),
        Err(Halt::Error(error)) => Err(error),
    }
}

/// The queue's name: Celery's own in a broker of our own, one that nobody else
/// has in a broker of the user's.
fn queue_name(options: &Options) -> String {
    match options.broker {
        None => "celery".to_owned(),
        Some(_) => format!("tracelink-demo-{:08x}", fastrand::u32(..)),
    }
}

/// Why a play does not go on.
pub(super) enum Halt {
    BrokenOff,
    Error(DemoError),
}

impl<E: Into<DemoError>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// What the stage hears, and from whom.
enum Heard {
    Report(usize, Option<Report>),
    Answer(u32, Result<Answer, DemoError>),
}

struct Process {
    who: &'static str,
    child: Child,
    is_ready: bool,
    port: Option<u16>,
}

struct Stage<'o> {
    options: &'o Options,
    sender: Sender<Heard>,
    heard: Receiver<Heard>,
    /// In the order in which they were started.
    children: BTreeMap<usize, Process>,
    next: usize,
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
        let orders = self.options.orders.filter(|_| play.orders == 1).unwrap_or(play.orders);
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
            self.worker_pids.push(self.children[&number].child.id());
        }
        self.await_ready()?;
        let addresses: Vec<_> = apis.iter().filter_map(|number| self.address(*number)).collect();
        for address in &addresses {
            tell(watch, Event::Api { address: address.clone() })?;
        }

        let sending = match (&play.cast, addresses.first()) {
            (Cast::Storefront, Some(api)) => {
                let client = Client::Storefront { api: api.clone(), orders };
                let telemetry = play.storefront().telemetry(&self.options.otlp);
                let number = self.start("storefront", Role::Client(client), &telemetry, play)?;
                self.await_ready()?;
                self.begin(number)?;
                None
            }
            (Cast::Client(_), _) => {
                self.begin_all("client")?;
                None
            }
            _ => Some(orders::send(&addresses, orders, self.options.rate, play, {
                let sender = self.sender.clone();
                move |number, answer| {
                    let _ = sender.send(Heard::Answer(number, answer));
                }
            })?),
        };

        // With a rate orders go on coming, and the first one is looked at.
        let first = if self.options.rate.is_some() { 1 } else { orders };
        let (first, answers) = (play.first_tasks(first), if sending.is_some() { first } else { 0 });
        self.until(watch, |stage| stage.published >= first && stage.answers >= answers)?;
        tell(watch, Event::Queued { tasks: self.tasks.keys().cloned().collect() })?;
        if play.api_is_killed {
            self.children.retain(|_, process| process.who != "API");
        }
        self.begin_all("worker")?;
        self.wait(watch, Duration::from_millis(play.waits_ms))?;
        let all = play.first_tasks(orders);
        self.until(watch, |stage| stage.published >= all)?;
        if play.has_worker {
            self.await_results(watch)?;
        }
        drop(sending);
        tell(watch, Event::Done)?;
        while self.options.keep {
            self.pump(watch)?;
        }
        self.close("worker");
        self.close("client");
        self.close("storefront");
        self.close("API");
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
            let port = self.children.get(&number).and_then(|process| process.port).unwrap_or_default();
            self.broker = format!("redis://127.0.0.1:{port}/0");
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
        let number = self.next;
        self.next += 1;
        let setup = Setup {
            broker: self.broker.clone(),
            queue: self.queue.clone(),
            pace: self.options.pace.max(play.least_pace),
            telemetry: telemetry.clone(),
            role,
        };
        let sender = self.sender.clone();
        let child = Child::start(&self.options.program, &setup, move |report| {
            let _ = sender.send(Heard::Report(number, report));
        })?;
        self.children.insert(number, Process { who, child, is_ready: false, port: None });
        Ok(number)
    }

    fn address(&self, number: usize) -> Option<String> {
        self.children.get(&number)?.port.map(|port| format!("http://127.0.0.1:{port}"))
    }

    fn await_ready(&mut self) -> Result<(), Halt> {
        let deadline = clock::now() + START;
        while let Some(process) = self.children.values().find(|process| !process.is_ready) {
            if clock::now() > deadline {
                return Err(DemoError::Slow { who: process.who, seconds: START.as_secs() }.into());
            }
            self.hear(LOOK, &mut |_| ControlFlow::Continue(()))?;
        }
        Ok(())
    }

    fn begin(&mut self, number: usize) -> Result<(), DemoError> {
        if let Some(process) = self.children.get_mut(&number) {
            process.child.tell("begin")?;
        }
        Ok(())
    }

    fn begin_all(&mut self, who: &str) -> Result<(), DemoError> {
        let numbers: Vec<_> = self.children.iter().filter(|(_, process)| process.who == who).collect();
        let numbers: Vec<_> = numbers.into_iter().map(|(number, _)| *number).collect();
        numbers.into_iter().try_for_each(|number| self.begin(number))
    }

    /// Ends the processes of a kind by closing their standard inputs: they
    /// finish what they do, and flush where they do that.
    fn close(&mut self, who: &str) {
        for process in self.children.values_mut().filter(|process| process.who == who) {
            process.child.close();
        }
        let (ending, others) = std::mem::take(&mut self.children)
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(_, process)| process.who == who);
        self.children = others;
        for (_, process) in ending {
            process.child.wait();
        }
    }

    /// Hears what is said until `is_so`.
    fn until(&mut self, watch: &mut Watch<'_>, is_so: impl Fn(&Self) -> bool) -> Result<(), Halt> {
        let mut moved = clock::now();
        while !is_so(self) {
            if self.pump(watch)? {
                moved = clock::now();
            } else if clock::now() > moved + STILL {
                return Err(DemoError::Still { seconds: STILL.as_secs() }.into());
            }
        }
        Ok(())
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
        match report {
            Some(Report::Ready { port }) => {
                if let Some(process) = self.children.get_mut(&number) {
                    (process.is_ready, process.port) = (true, port);
                }
            }
            Some(Report::Published { id, tag, attempt, is_routed, .. }) => {
                self.published += usize::from(attempt == 0);
                self.keys.insert(result_key(&id));
                self.tags.insert(tag);
                self.tasks.insert(id, is_routed);
            }
            Some(Report::Awaited { id, keys }) => {
                self.keys.insert(result_key(&id));
                self.keys.extend(keys);
                self.tasks.entry(id).or_insert(true);
            }
            Some(Report::Took { id, task, attempt }) => tell(watch, Event::Took { id, task, attempt })?,
            Some(Report::Ended { id, task, attempt, state }) => {
                tell(watch, Event::Ended { id, task, attempt, state })?;
            }
            Some(Report::Done { .. }) => {}
            Some(Report::Failed { why }) => {
                let who = self.children.get(&number).map_or("process", |process| process.who);
                return Err(DemoError::Process { who, why }.into());
            }
            // One that has been closed ends; any other should not.
            None => {
                if let Some(process) = self.children.remove(&number) {
                    let why = "it ended before its time".to_owned();
                    return Err(DemoError::Process { who: process.who, why }.into());
                }
            }
        }
        Ok(())
    }

    /// Waits until every task that a queue took has ended.
    fn await_results(&mut self, watch: &mut Watch<'_>) -> Result<(), Halt> {
        let mut link = Link::open(&self.broker)?;
        let mut ended = BTreeSet::new();
        let mut moved = clock::now();
        loop {
            let open: Vec<_> = self
                .tasks
                .iter()
                .filter(|(id, is_routed)| **is_routed && !ended.contains(*id))
                .map(|(id, _)| id.clone())
                .collect();
            for id in &open {
                if matches!(link.status(id)?.as_deref(), Some("SUCCESS" | "FAILURE" | "REVOKED")) {
                    ended.insert(id.clone());
                    moved = clock::now();
                }
            }
            // What a task published is reported before its result is there, by
            // another way: it may come a moment later.
            let heard = self.pump(watch)?;
            if heard {
                moved = clock::now();
            } else if open.is_empty() {
                return Ok(());
            } else if clock::now() > moved + STILL {
                return Err(DemoError::Still { seconds: STILL.as_secs() }.into());
            }
        }
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        // The processes first, so that they write no more.
        let broker = self.options.broker.as_ref();
        while let Some((_, process)) = self.children.pop_last() {
            drop(process);
        }
        if let Some(url) = broker {
            // What was published while the stage fell is known by now.
            while let Ok(heard) = self.heard.try_recv() {
                if let Heard::Report(_, Some(Report::Published { id, tag, .. })) = heard {
                    self.keys.insert(result_key(&id));
                    self.tags.insert(tag);
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

pub(super) fn tell(watch: &mut Watch<'_>, event: Event) -> Result<(), Halt> {
    if watch(event).is_break() { Err(Halt::BrokenOff) } else { Ok(()) }
}

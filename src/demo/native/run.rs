//! Runs a scenario: starts its processes, sends the orders, waits for the results, and ends
//! everything in order.
//!
//! Nothing outlives it. If the run is dropped, by an error or a panic, its processes are
//! killed; if this process is killed, they end by themselves. What they wrote to a user's
//! broker is deleted by name.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, ControlFlow};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use super::channel::Channel;
use super::process_protocol::ProcessEvent;
use super::processes::Processes;
use super::scenario::{Instrumentation, PublishedBy, Scenario};
use super::setup::{Client, Role, Setup, Telemetry};
use super::written::Written;
use crate::demo::clock;
use crate::demo::error::DemoError;
use crate::demo::event::{DemoEvent, Halt, Listener, ended, keep_on, tell};
use crate::demo::orders::{self, Answer};
use crate::demo::otlp_endpoints::OtlpEndpoints;
use crate::demo::timing;

/// How often results are looked for.
const LOOK: Duration = Duration::from_millis(15);

/// How a scenario is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// This program, which is started again for each process of the scenario.
    pub program: PathBuf,
    /// The user's broker; the embedded one if there is none.
    pub broker: Option<String>,
    /// The receiver.
    pub otlp: OtlpEndpoints,
    /// How many orders are sent, unless the scenario says.
    pub orders: Option<u32>,
    /// Orders a second; without it, one after the other.
    pub rate: Option<f64>,
    /// A factor for how long work takes: 1 is as long as in the article.
    pub pace: f64,
    /// Goes on until the listener ends it.
    pub keep: bool,
}

impl Options {
    /// How long nothing may change.
    fn timeout(&self) -> Duration {
        let pause = self.rate.and_then(|rate| Duration::try_from_secs_f64(1.0 / rate).ok());
        let work =
            Duration::try_from_secs_f64(timing::TASK.as_secs_f64() * self.pace).unwrap_or(Duration::MAX);
        timing::STILL.saturating_add(work).saturating_add(pause.unwrap_or_default())
    }
}

/// Runs a scenario. Returns once everything has ended, by itself or because the listener
/// ended it.
///
/// # Errors
///
/// If a process does not start, the broker is gone, or nothing changes for thirty seconds.
pub fn run(scenario: &Scenario, options: &Options, listener: &mut Listener<'_>) -> Result<(), DemoError> {
    let (sender, heard) = channel();
    let mut run = ScenarioRun {
        options,
        sender,
        heard,
        processes: Processes::default(),
        broker: String::new(),
        queue: queue_name(options),
        tasks: BTreeMap::new(),
        published: 0,
        answers: 0,
        written: Written::default(),
    };
    ended(run.run(scenario, listener), listener)
}

/// The queue's name: Celery's default in our own broker, and a unique name in a user's
/// broker.
fn queue_name(options: &Options) -> String {
    match options.broker {
        None => "celery".to_owned(),
        Some(_) => format!("tracelink-demo-{:08x}", fastrand::u32(..)),
    }
}

/// What arrives while a scenario runs: from a process, or from the API.
enum Heard {
    Process(usize, Option<ProcessEvent>),
    Answer(u32, Result<Answer, DemoError>),
}

struct ScenarioRun<'o> {
    options: &'o Options,
    sender: Sender<Heard>,
    heard: Receiver<Heard>,
    processes: Processes,
    broker: String,
    queue: String,
    /// Tasks by id, and whether any queue took them.
    tasks: BTreeMap<String, bool>,
    published: usize,
    answers: u32,
    /// What to delete from a user's broker.
    written: Written,
}

impl ScenarioRun<'_> {
    fn run(&mut self, scenario: &Scenario, listener: &mut Listener<'_>) -> Result<(), Halt> {
        let orders = self.options.orders.filter(|_| scenario.takes_orders()).unwrap_or(scenario.orders);
        // If the API is killed, no order can follow the first ones.
        let rate = self.options.rate.filter(|_| !scenario.api_is_killed);
        self.open_broker(listener)?;
        let api = scenario.api_sdk.telemetry(&self.options.otlp);
        let apis = match &scenario.published_by {
            PublishedBy::Client(client) => {
                self.start("client", Role::Client(client.clone()), &api, scenario)?;
                Vec::new()
            }
            PublishedBy::TwoApis(other) => {
                let other = Role::Api((**other).clone());
                vec![
                    self.start("API", Role::Api(scenario.api.clone()), &api, scenario)?,
                    self.start("API", other, &api, scenario)?,
                ]
            }
            PublishedBy::Api | PublishedBy::Storefront => {
                vec![self.start("API", Role::Api(scenario.api.clone()), &api, scenario)?]
            }
        };
        if scenario.has_worker {
            let telemetry = scenario.worker_sdk.telemetry(&self.options.otlp);
            let mut worker = scenario.worker.clone();
            worker.concurrency = worker.concurrency.max(orders.clamp(1, 4) as usize);
            let number = self.start("worker", Role::Worker(worker), &telemetry, scenario)?;
            self.written.workers.extend(self.processes.pid(number));
        }
        self.await_ready()?;
        let addresses: Vec<_> = apis.iter().filter_map(|number| self.processes.address(*number)).collect();
        for address in &addresses {
            tell(listener, DemoEvent::Api { address: address.clone() })?;
        }

        let sending = match (&scenario.published_by, addresses.first()) {
            (PublishedBy::Storefront, Some(api)) => {
                let client = Client::Storefront { api: api.clone(), orders };
                let telemetry = Instrumentation::healthy("storefront").telemetry(&self.options.otlp);
                let number = self.start("storefront", Role::Client(client), &telemetry, scenario)?;
                self.await_ready()?;
                self.processes.begin(number)?;
                None
            }
            (PublishedBy::Client(_), _) => {
                self.processes.begin_all("client")?;
                None
            }
            _ => Some(orders::send(&addresses, orders, rate, scenario.order, {
                let sender = self.sender.clone();
                move |number, answer| {
                    let _ = sender.send(Heard::Answer(number, answer));
                }
            })?),
        };

        // With a rate, orders go on coming while the first one is shown.
        let first = if rate.is_some() { 1 } else { orders };
        let (first, answers) = (scenario.first_tasks(first), if sending.is_some() { first } else { 0 });
        self.until(listener, |run| run.published >= first && run.answers >= answers)?;
        tell(listener, DemoEvent::Queued { tasks: self.tasks.keys().cloned().collect() })?;
        if scenario.api_is_killed {
            self.processes.kill("API");
        }
        self.processes.begin_all("worker")?;
        self.wait(listener, Duration::from_millis(scenario.waits_ms))?;
        let all = scenario.first_tasks(orders);
        let answers = if sending.is_some() { orders } else { 0 };
        self.until(listener, |run| run.published >= all && run.answers >= answers)?;
        if scenario.has_worker {
            self.await_results(listener)?;
        }
        drop(sending);
        tell(listener, DemoEvent::Done)?;
        keep_on(self.options.keep, || self.pump(listener).map(drop))?;
        self.processes.close("worker");
        self.processes.close("client");
        self.processes.close("storefront");
        self.processes.close("API");
        self.drain(listener)?;
        tell(listener, DemoEvent::Closed)
    }

    fn open_broker(&mut self, listener: &mut Listener<'_>) -> Result<(), Halt> {
        let embedded = self.options.broker.is_none();
        if let Some(url) = &self.options.broker {
            self.broker.clone_from(url);
            // A watcher of the broker knows the queue by its binding from now on.
            Channel::open(url)?.declare(&self.queue)?;
        } else {
            let nothing = Scenario::default();
            let telemetry = nothing.api_sdk.telemetry(&self.options.otlp);
            let number = self.start("broker", Role::Broker, &telemetry, &nothing)?;
            self.await_ready()?;
            let address = self.processes.address(number).unwrap_or_default();
            self.broker = format!("{}/0", address.replacen("http", "redis", 1));
        }
        tell(listener, DemoEvent::Broker { url: self.broker.clone(), queue: self.queue.clone(), embedded })
    }

    fn start(
        &mut self,
        who: &'static str,
        role: Role,
        telemetry: &Telemetry,
        scenario: &Scenario,
    ) -> Result<usize, DemoError> {
        let setup = Setup {
            broker: self.broker.clone(),
            queue: self.queue.clone(),
            pace: self.options.pace.max(scenario.least_pace),
            telemetry: telemetry.clone(),
            role,
        };
        let sender = self.sender.clone();
        Ok(self.processes.start(&self.options.program, who, &setup, move |number, report| {
            let _ = sender.send(Heard::Process(number, report));
        })?)
    }

    fn await_ready(&mut self) -> Result<(), Halt> {
        let deadline = clock::now() + timing::NATIVE_START;
        while let Some(who) = self.processes.not_ready() {
            if clock::now() > deadline {
                return Err(DemoError::Slow { who, seconds: timing::NATIVE_START.as_secs() }.into());
            }
            self.hear(LOOK, &mut |_| ControlFlow::Continue(()))?;
        }
        Ok(())
    }

    /// Handles what arrives until `is_so`.
    fn until(&mut self, listener: &mut Listener<'_>, is_so: impl Fn(&Self) -> bool) -> Result<(), Halt> {
        let mut moved = clock::now();
        while !is_so(self) {
            if self.pump(listener)? {
                moved = clock::now();
            } else if clock::now() > moved + self.options.timeout() {
                return Err(self.still().into());
            }
        }
        Ok(())
    }

    fn still(&self) -> DemoError {
        DemoError::Still { seconds: self.options.timeout().as_secs() }
    }

    fn wait(&mut self, listener: &mut Listener<'_>, time: Duration) -> Result<(), Halt> {
        let deadline = clock::now() + time;
        while clock::now() < deadline {
            self.pump(listener)?;
        }
        Ok(())
    }

    /// Handles one arrival, or waits a moment. Returns whether anything came.
    fn pump(&mut self, listener: &mut Listener<'_>) -> Result<bool, Halt> {
        let heard = self.hear(LOOK, listener)?;
        if !heard {
            tell(listener, DemoEvent::Waiting)?;
        }
        Ok(heard)
    }

    /// Handles what is left.
    fn drain(&mut self, listener: &mut Listener<'_>) -> Result<(), Halt> {
        while self.hear(LOOK, listener)? {}
        Ok(())
    }

    fn hear(&mut self, timeout: Duration, listener: &mut Listener<'_>) -> Result<bool, Halt> {
        match self.heard.recv_timeout(timeout) {
            Ok(Heard::Process(number, report)) => self.take(number, report, listener).map(|()| true),
            Ok(Heard::Answer(number, answer)) => {
                let answer = answer?;
                self.answers += 1;
                let Answer { order, status, body } = answer;
                tell(listener, DemoEvent::Answered { number, order, status, body })?;
                Ok(true)
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Ok(false),
        }
    }

    fn take(
        &mut self,
        number: usize,
        report: Option<ProcessEvent>,
        listener: &mut Listener<'_>,
    ) -> Result<(), Halt> {
        report.iter().for_each(|report| self.written.note(report));
        match report {
            Some(ProcessEvent::Ready { port }) => self.processes.is_ready(number, port),
            Some(ProcessEvent::Published { id, attempt, is_routed, .. }) => {
                self.published += usize::from(attempt == 0);
                self.tasks.insert(id, is_routed);
            }
            Some(ProcessEvent::Awaited { id, .. }) => drop(self.tasks.entry(id).or_insert(true)),
            Some(ProcessEvent::Took { id, task, attempt }) => {
                tell(listener, DemoEvent::Took { id, task, attempt })?
            }
            Some(ProcessEvent::Ended { id, task, attempt, state }) => {
                tell(listener, DemoEvent::Ended { id, task, attempt, state })?;
            }
            Some(ProcessEvent::Done { .. }) => {}
            Some(ProcessEvent::Failed { why }) => {
                let who = self.processes.who(number).unwrap_or("process");
                return Err(DemoError::Process { who, why }.into());
            }
            // A process that was closed may end; any other may not.
            None => {
                if let Some(who) = self.processes.who(number) {
                    let why = "it ended before its time".to_owned();
                    return Err(DemoError::Process { who, why }.into());
                }
            }
        }
        Ok(())
    }

    /// Waits until every task that a queue took has ended.
    fn await_results(&mut self, listener: &mut Listener<'_>) -> Result<(), Halt> {
        const AT_A_TIME: usize = 64;
        let mut channel = Channel::open(&self.broker)?;
        let mut ended = BTreeSet::new();
        let mut moved = clock::now();
        // Of thousands, only a few are asked for at a time, in turn.
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
                if matches!(channel.status(&id)?.as_deref(), Some("SUCCESS" | "FAILURE" | "REVOKED")) {
                    ended.insert(id);
                    moved = clock::now();
                }
            }
            // A task's publish is reported separately from its result: the report may come
            // a moment later.
            let heard = self.pump(listener)?;
            if heard {
                moved = clock::now();
            } else if is_done {
                return Ok(());
            } else if clock::now() > moved + self.options.timeout() {
                return Err(self.still().into());
            }
        }
    }
}

impl Drop for ScenarioRun<'_> {
    fn drop(&mut self) {
        // The processes first, so that they write nothing more.
        self.processes.kill_all();
        if let Some(url) = &self.options.broker {
            // What was published during the end was reported before it.
            while let Ok(heard) = self.heard.try_recv() {
                if let Heard::Process(_, Some(report)) = heard {
                    self.written.note(&report);
                }
            }
            // If the broker is gone, there is nothing to delete.
            let _ = self.written.delete(url, &self.queue);
        }
    }
}

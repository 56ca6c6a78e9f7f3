//! Runs an entry of the manifest: starts its processes, takes its steps one
//! after the other, and ends everything in order.
//!
//! Nothing outlives it. Processes are killed with their children where the
//! run is dropped, by an error, a panic or a listener that breaks off, and by the
//! reaper where this process is killed. Its Redis keeps nothing on
//! disk, no process writes a file, and what was written to a user's broker,
//! whose database must have been empty, is deleted.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::launch::Launcher;
use super::manifest::{Entry, Program, Step};
use super::paste_fix::{self, FixExtras};
use super::ports;
use super::process::{Ended, Process};
use super::programs;
use super::reaper::Reaper;
use super::redis_server::RedisServer;
use super::run_options::Options;
use super::task_tracker::TaskTracker;
use crate::demo::clock;
use crate::demo::error::DemoError;
use crate::demo::event::{DemoEvent, Halt, Listener, ended, keep_on, tell};
use crate::demo::orders::Order;
use crate::demo::orders::{self, Answer};
use crate::demo::timing;

/// How often what goes on is looked at.
const LOOK: Duration = Duration::from_millis(40);
/// How long nothing is done where the broker is to be looked at.
const STILL: Duration = Duration::from_millis(150);
/// How much longer the results of many orders may take, in seconds an order.
const EACH: f64 = 3.0;
/// Celery's own queue.
const QUEUE: &str = "celery";

/// Runs an entry. Returns once everything has ended, by itself or broken off.
///
/// A task's name is empty in an event where its message was not seen.
///
/// # Errors
///
/// Where a process does not start, or ends though it should not, with the last
/// that it said; where the API gives another answer than it should; where the
/// broker is gone, or its database not empty.
pub fn run(entry: &Entry, options: &Options<'_>, listener: &mut Listener<'_>) -> Result<(), DemoError> {
    let mut run = EntryRun::open(entry, options)?;
    ended(run.run(listener), listener)
}

struct EntryRun<'o> {
    entry: &'o Entry,
    options: &'o Options<'o>,
    launcher: Launcher<'o>,
    /// The run's own.
    redis_server: Option<RedisServer>,
    tracker: TaskTracker,
    /// In the order in which they were started.
    running: Vec<(String, Process)>,
    answers: u32,
}

impl<'o> EntryRun<'o> {
    fn open(entry: &'o Entry, options: &'o Options<'o>) -> Result<Self, DemoError> {
        let reaper = Rc::new(RefCell::new(Reaper::start()?));
        // They are written while Redis starts.
        let writing = programs::begin(entry, options.environment, &reaper)?;
        let (redis_server, broker) = if let Some(url) = &options.broker {
            (None, url.clone())
        } else {
            let binary = options.environment.redis_server().ok_or(DemoError::NoBroker)?;
            let server = RedisServer::start(binary, options.environment.folder(), &reaper)?;
            let url = server.url.clone();
            (Some(server), url)
        };
        let mut tracker = TaskTracker::open(&broker)?;
        if !tracker.is_empty()? {
            return Err(DemoError::NotEmpty);
        }
        let programs = writing.end()?;
        let extras = match options.fix {
            Some(fix) => paste_fix::paste(fix, entry, &programs, options.environment, &reaper)?,
            None => FixExtras::default(),
        };
        let launcher = Launcher::new(entry, options, reaper, programs, extras, broker);
        let running = Vec::new();
        Ok(Self { entry, options, launcher, redis_server, tracker, running, answers: 0 })
    }

    fn run(&mut self, listener: &mut Listener<'_>) -> Result<(), Halt> {
        let queue = QUEUE.to_owned();
        tell(listener, DemoEvent::Broker { url: self.launcher.broker().to_owned(), queue, embedded: false })?;
        for step in &self.entry.steps_for(self.options.orders, EACH) {
            self.take(step, listener)?;
        }
        tell(listener, DemoEvent::Done)?;
        keep_on(self.options.keep, || self.pause(listener))?;
        while let Some((_, process)) = self.running.pop() {
            self.end(&process, listener)?;
        }
        tell(listener, DemoEvent::Closed)
    }

    fn take(&mut self, step: &Step, listener: &mut Listener<'_>) -> Result<(), Halt> {
        match step {
            Step::Start { start } => self.start(start, listener),
            Step::Run { run } => self.run_to_its_end(run, listener),
            Step::Orders { orders, to, quantity } => self.order(*orders, to, *quantity, listener),
            Step::Look { look } if look == "queued" => {
                let tasks = self.tracker.queued()?;
                tell(listener, DemoEvent::Queued { tasks })
            }
            Step::Look { .. } => {
                tell(listener, DemoEvent::Look)?;
                self.wait(listener, STILL, |_| Ok(false))
            }
            Step::Results { results, within } => {
                let slower = timing::TASK.as_secs_f64()
                    * (self.options.pace - 1.0).max(0.0)
                    * f64::from(u32::try_from(*results).unwrap_or(u32::MAX));
                let time = seconds(within + slower);
                self.wait(listener, time, |tracker| Ok(tracker.final_results() >= *results))
            }
            Step::Key { key, within } => {
                self.wait(listener, seconds(*within), |tracker| Ok(tracker.has(key)?))
            }
            Step::Sleep { sleep } => self.wait(listener, seconds(*sleep), |_| Ok(false)),
            Step::Stop { stop } => match self.leave(stop) {
                Some(process) => self.end(&process, listener),
                None => Ok(()),
            },
            Step::Kill { kill } => {
                drop(self.leave(kill));
                Ok(())
            }
        }
    }

    fn start(&mut self, name: &str, listener: &mut Listener<'_>) -> Result<(), Halt> {
        let program = self.program(name)?;
        if !program.http {
            tell(listener, DemoEvent::Starting { who: name.to_owned() })?;
        }
        let mut process = self.launcher.launch(name, program)?;
        let mut is_second_try = false;
        let deadline = clock::now() + timing::PYTHON_START;
        loop {
            if let Some(ended) = process.ended()? {
                let why = process.last_words();
                // Somebody else was given the port after it was found to be free.
                if program.http && !is_second_try && why.contains("address already in use") {
                    is_second_try = true;
                    self.launcher.forget_port(name);
                    process = self.launcher.launch(name, program)?;
                    continue;
                }
                if program.may_fail {
                    break;
                }
                return Err(early(name, ended, &why).into());
            }
            let is_up = match (&program.ready, self.launcher.port(name)) {
                (_, Some(port)) => ports::answers(port),
                (Some(key), None) => self.tracker.has(key)?,
                // The manifest says nothing: the next step need not wait.
                (None, None) => true,
            };
            if is_up {
                break;
            }
            if clock::now() > deadline {
                let why = format!(
                    "it did not come up in {} seconds: {}",
                    timing::PYTHON_START.as_secs(),
                    process.last_words()
                );
                return Err(DemoError::Python { who: name.to_owned(), why }.into());
            }
            self.pause(listener)?;
        }
        self.running.push((name.to_owned(), process));
        match self.launcher.port(name).filter(|_| program.http) {
            Some(port) => tell(listener, DemoEvent::Api { address: format!("http://127.0.0.1:{port}") }),
            None => Ok(()),
        }
    }

    fn run_to_its_end(&mut self, name: &str, listener: &mut Listener<'_>) -> Result<(), Halt> {
        let process = self.launcher.launch(name, self.program(name)?)?;
        let deadline = clock::now() + timing::PYTHON_RUN;
        let ended = loop {
            if let Some(ended) = process.ended()? {
                break ended;
            }
            if clock::now() > deadline {
                let why = format!(
                    "it did not end in {} seconds: {}",
                    timing::PYTHON_RUN.as_secs(),
                    process.last_words()
                );
                return Err(DemoError::Python { who: name.to_owned(), why }.into());
            }
            self.pause(listener)?;
        };
        if ended.code == Some(0) { Ok(()) } else { Err(early(name, ended, &process.last_words()).into()) }
    }

    fn order(
        &mut self,
        count: u32,
        to: &str,
        quantity: i64,
        listener: &mut Listener<'_>,
    ) -> Result<(), Halt> {
        let expected = if quantity > 0 { 202 } else { 400 };
        let rate = self.options.rate.filter(|_| self.options.orders.is_some());
        let order = Order { quantity, ..Order::default() };
        let (sender, answers) = channel();
        // They stop coming where this is dropped.
        let _sending = orders::send(&[self.address(to)?], count, rate, order, move |_, answer| {
            let _ = sender.send(answer);
        })?;
        for _ in 0..count {
            let answer = loop {
                match answers.recv_timeout(LOOK) {
                    Ok(answer) => break answer?,
                    Err(RecvTimeoutError::Timeout) => self.attend(listener)?,
                    Err(RecvTimeoutError::Disconnected) => return Err(self.no_answer(to).into()),
                }
            };
            let (number, Answer { order, status, body }) = (self.answers, answer);
            self.answers += 1;
            if status != expected {
                let why = format!("it answered {status} where {expected} was due: {body}");
                return Err(DemoError::Python { who: to.to_owned(), why }.into());
            }
            tell(listener, DemoEvent::Answered { number, order, status, body })?;
        }
        Ok(())
    }

    fn no_answer(&self, who: &str) -> DemoError {
        let said = self.running.iter().find(|(name, _)| name == who).map(|(_, process)| process.last_words());
        let why = format!("it gives no answer: {}", said.unwrap_or_default());
        DemoError::Python { who: who.to_owned(), why }
    }

    /// Waits until it is so, or the time is over.
    fn wait(
        &mut self,
        listener: &mut Listener<'_>,
        time: Duration,
        is_so: impl Fn(&mut TaskTracker) -> Result<bool, DemoError>,
    ) -> Result<(), Halt> {
        let deadline = clock::now() + time;
        while !is_so(&mut self.tracker)? && clock::now() < deadline {
            self.pause(listener)?;
        }
        Ok(())
    }

    fn pause(&mut self, listener: &mut Listener<'_>) -> Result<(), Halt> {
        thread::sleep(LOOK);
        self.attend(listener)
    }

    /// Sees who is there, and tells what is new.
    fn attend(&mut self, listener: &mut Listener<'_>) -> Result<(), Halt> {
        let mut gone = None;
        for (place, (name, process)) in self.running.iter().enumerate() {
            let Some(ended) = process.ended()? else { continue };
            let last_words = process.last_words();
            if !self.entry.processes.get(name).is_some_and(|program| program.may_fail) {
                return Err(early(name, ended, &last_words).into());
            }
            gone = Some((place, DemoEvent::Gone { who: name.clone(), code: ended.code, last_words }));
        }
        if let Some((place, event)) = gone {
            self.running.remove(place);
            tell(listener, event)?;
        }
        let news = self.tracker.news()?;
        if news.is_empty() {
            return tell(listener, DemoEvent::Waiting);
        }
        news.into_iter().try_for_each(|event| tell(listener, event))
    }

    /// Asks a process to end, and waits for it: its last spans come meanwhile.
    /// What does not end in time is killed by whoever holds it.
    fn end(&mut self, process: &Process, listener: &mut Listener<'_>) -> Result<(), Halt> {
        process.terminate();
        let deadline = clock::now() + timing::PYTHON_END;
        while process.ended()?.is_none() && clock::now() < deadline {
            self.pause(listener)?;
        }
        Ok(())
    }

    /// A process that does not belong to the running ones any more.
    fn leave(&mut self, name: &str) -> Option<Process> {
        let place = self.running.iter().position(|(known, _)| known == name)?;
        Some(self.running.remove(place).1)
    }

    fn program(&self, name: &str) -> Result<&'o Program, DemoError> {
        let unknown = || DemoError::Python { who: name.to_owned(), why: "the manifest lacks it".to_owned() };
        self.entry.processes.get(name).ok_or_else(unknown)
    }

    fn address(&self, name: &str) -> Result<String, DemoError> {
        let port = self.launcher.port(name);
        port.map(|port| format!("http://127.0.0.1:{port}")).ok_or_else(|| self.no_answer(name))
    }
}

impl Drop for EntryRun<'_> {
    fn drop(&mut self) {
        // The processes first, so that they write no more.
        while let Some((_, process)) = self.running.pop() {
            drop(process);
        }
        if self.redis_server.is_none() {
            // Where the broker is gone there is nothing to clean.
            let _ = self.tracker.clean();
        }
    }
}

fn early(name: &str, ended: Ended, last_words: &str) -> DemoError {
    let how = ended.code.map_or("was killed".to_owned(), |code| format!("ended with code {code}"));
    DemoError::Python { who: name.to_owned(), why: format!("it {how} before its time:\n{last_words}") }
}

fn seconds(time: f64) -> Duration {
    Duration::try_from_secs_f64(time).unwrap_or_default()
}

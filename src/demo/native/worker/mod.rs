//! The worker: takes messages as kombu does and hands them to its pool, a
//! child process for each task that may run at a time, as Celery's prefork does.

mod pool;
mod run;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::Duration;

use redis::RedisResult;
use serde_json::{Value, json};

pub use pool::run as run_pool;

use super::channel::{Channel, Delivery};
use super::process_protocol::{ProcessEvent, stdin_lines};
use super::publisher::worker_name;
use super::setup::{Role, Setup, Worker};
use super::task_message::TaskMessage;
use crate::demo::clock;
use crate::demo::error::DemoError;
use crate::demo::native::child::{Child, Group};

/// How long waiting for a message may take, so that other things get their turn.
const LOOK: Duration = Duration::from_millis(20);

/// A child of the pool.
struct Slot {
    child: Child,
    running: Option<Running>,
}

struct Running {
    tag: String,
    task: TaskMessage,
}

/// A message that waits for its ETA.
struct Held {
    eta: String,
    delivery: Delivery,
    task: TaskMessage,
}

/// A line from a child, or `None` at its end.
type Said = (usize, Option<ProcessEvent>);

struct Consumer<'s> {
    setup: &'s Setup,
    worker: &'s Worker,
    channel: Channel,
    host: String,
    slots: BTreeMap<usize, Slot>,
    next_slot: usize,
    held: Vec<Held>,
    said: (Sender<Said>, Receiver<Said>),
    looked: Duration,
}

/// Works until the standard input closes, then shuts down warmly. It waits for the start
/// signal, so that the queue can be looked at before.
pub fn run(setup: &Setup, worker: &Worker) -> Result<(), DemoError> {
    let stdin = stdin_lines();
    let mut consumer = Consumer {
        setup,
        worker,
        channel: Channel::open(&setup.broker)?,
        host: worker_name(std::process::id()),
        slots: BTreeMap::new(),
        next_slot: 0,
        held: Vec::new(),
        said: channel(),
        looked: clock::now(),
    };
    for _ in 0..worker.concurrency.max(1) {
        consumer.add_slot()?;
    }
    ProcessEvent::Ready { port: None }.send();
    if stdin.recv().is_err() {
        return Ok(());
    }
    consumer.channel.register_worker(&consumer.host)?;
    consumer.channel.declare(&setup.queue)?;
    let mut is_closing = false;
    while !is_closing || consumer.is_busy() {
        is_closing = is_closing || stdin.try_recv() == Err(TryRecvError::Disconnected);
        consumer.turn(is_closing)?;
    }
    consumer.end()
}

impl Consumer<'_> {
    fn add_slot(&mut self) -> Result<(), DemoError> {
        let number = self.next_slot;
        self.next_slot += 1;
        let setup = Setup { role: Role::Pool(self.worker.clone()), ..self.setup.clone() };
        let said = self.said.0.clone();
        let child = Child::start(&std::env::current_exe()?, &setup, Group::Shared, move |report| {
            let _ = said.send((number, report));
        })?;
        self.slots.insert(number, Slot { child, running: None });
        Ok(())
    }

    fn is_busy(&self) -> bool {
        self.slots.values().any(|slot| slot.running.is_some())
    }

    /// One turn: the pool's news, what is due, one message.
    fn turn(&mut self, is_closing: bool) -> Result<(), DemoError> {
        while let Ok(said) = self.said.1.try_recv() {
            self.hear(said)?;
        }
        self.restore_lost()?;
        let has_room = self.slots.values().any(|slot| slot.running.is_none());
        if has_room && let Some(place) = self.held.iter().position(|held| clock::until(&held.eta).is_zero()) {
            let held = self.held.remove(place);
            return self.dispatch(held.delivery, held.task);
        }
        if has_room && !is_closing {
            if let Some(delivery) = self.channel.take(&self.setup.queue, LOOK)? {
                self.accept(delivery)?;
            }
            return Ok(());
        }
        match self.said.1.recv_timeout(LOOK) {
            Ok(said) => self.hear(said),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Ok(()),
        }
    }

    fn accept(&mut self, delivery: Delivery) -> Result<(), DemoError> {
        let Some(task) = TaskMessage::read(&delivery.envelope) else {
            // An unreadable message is rejected, as Celery does with content that it does
            // not accept.
            return Ok(self.channel.acknowledge(&delivery.tag)?);
        };
        if !self.worker.registered.contains(&task.task) {
            self.channel.acknowledge(&delivery.tag)?;
            let result = json!({
                "exc_type": "NotRegistered", "exc_message": [task.task], "exc_module": "celery.exceptions",
            });
            self.channel.store_result(&task, "FAILURE", &result, None)?;
            ProcessEvent::Ended {
                id: task.id,
                task: task.task,
                attempt: task.retries,
                state: "FAILURE".to_owned(),
            }
            .send();
            return Ok(());
        }
        match task.eta.clone() {
            Some(eta) if !clock::until(&eta).is_zero() => {
                self.held.push(Held { eta, delivery, task });
                Ok(())
            }
            _ => self.dispatch(delivery, task),
        }
    }

    fn dispatch(&mut self, delivery: Delivery, task: TaskMessage) -> Result<(), DemoError> {
        if !self.worker.acks_late {
            self.channel.acknowledge(&delivery.tag)?;
        }
        ProcessEvent::Took { id: task.id.clone(), task: task.task.clone(), attempt: task.retries }.send();
        let Some(slot) = self.slots.values_mut().find(|slot| slot.running.is_none()) else { return Ok(()) };
        // That a child is gone shows in its end.
        let _ = slot.child.tell(&json!({"tag": delivery.tag, "envelope": delivery.envelope}).to_string());
        slot.running = Some(Running { tag: delivery.tag, task });
        Ok(())
    }

    fn hear(&mut self, (number, report): Said) -> Result<(), DemoError> {
        match report {
            Some(ProcessEvent::Done { tag }) => {
                if let Some(slot) = self.slots.get_mut(&number) {
                    slot.running = None;
                }
                if self.worker.acks_late {
                    self.channel.acknowledge(&tag)?;
                }
            }
            Some(ProcessEvent::Ready { .. }) => {}
            Some(report) => report.send(),
            None => {
                let Some(slot) = self.slots.remove(&number) else { return Ok(()) };
                if let Some(running) = slot.running {
                    self.lost(&running)?;
                }
                self.add_slot()?;
            }
        }
        Ok(())
    }

    /// What Celery's parent process reports about a child that died at work.
    fn lost(&mut self, running: &Running) -> RedisResult<()> {
        let result = json!({
            "exc_type": "WorkerLostError",
            "exc_message": ["Worker exited prematurely: signal 9 (SIGKILL) Job: 0."],
            "exc_module": "billiard.exceptions",
        });
        self.channel.store_result(&running.task, "FAILURE", &result, None)?;
        self.channel.acknowledge(&running.tag)?;
        let task = &running.task;
        ProcessEvent::Ended {
            id: task.id.clone(),
            task: task.task.clone(),
            attempt: task.retries,
            state: "FAILURE".to_owned(),
        }
        .send();
        Ok(())
    }

    /// Puts messages back that are held for longer than the visibility timeout.
    fn restore_lost(&mut self) -> RedisResult<()> {
        const EVERY: Duration = Duration::from_millis(50);
        let timeout = Duration::from_millis(self.worker.visibility_timeout_ms);
        if clock::now() < self.looked + EVERY {
            return Ok(());
        }
        self.looked = clock::now();
        for tag in self.channel.delivered_before(timeout)? {
            self.channel.restore(&tag, &self.setup.queue)?;
        }
        Ok(())
    }

    /// A warm shutdown: what waits goes back into the queue, and the pool flushes.
    fn end(mut self) -> Result<(), DemoError> {
        for held in std::mem::take(&mut self.held) {
            self.channel.restore(&held.delivery.tag, &self.setup.queue)?;
        }
        for slot in self.slots.values_mut() {
            slot.child.close();
        }
        for slot in self.slots.into_values() {
            slot.child.wait();
        }
        Ok(self.channel.unregister_worker(&self.host)?)
    }
}

/// What the worker gives to a child.
fn read_job(line: &str) -> Option<(String, TaskMessage)> {
    let job: Value = serde_json::from_str(line).ok()?;
    Some((job["tag"].as_str()?.to_owned(), TaskMessage::read(&job["envelope"])?))
}

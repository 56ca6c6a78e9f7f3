//! What a broker holds: the sink that readers of brokers report to.
//!
//! A reader knows how one kind of broker lays out what it holds
//! (`celery/redis_layout/` knows kombu's keys in Redis). A sink knows nothing of
//! that. Saved snapshots, looks at a live broker and what `MONITOR` shows all
//! pass through one reader into one sink.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Message, MessageState, SpanContext, TaskResult, Timestamp};

/// Takes what a broker holds.
///
/// In a look, the reader reports the workers and the bindings first, then messages
/// and results in the order in which they are read, then each queue with its depth,
/// and at the end how complete the look was. What `MONITOR` shows between two looks
/// has messages and results only.
///
/// A message in the state [`Ready`](MessageState::Ready) waits in its queue; in
/// any other it is a delivery, which a worker holds and has not acknowledged.
pub trait BrokerSink {
    /// Returns the shared form of a name that occurs again and again.
    fn share(&mut self, name: &str) -> Arc<str>;

    /// The reader has looked for workers: if it reports none, there are none.
    fn looked_for_workers(&mut self);
    /// A worker that is alive, by the name of its mailbox.
    fn worker(&mut self, name: &str);
    /// An exchange to which anything is bound.
    fn exchange(&mut self, name: &str);
    /// A queue that is bound to an exchange, and the key that leads there.
    fn binding(&mut self, binding: Binding<'_>);

    /// Whether it only counts plain messages. If not, each message is read as a whole.
    fn counts(&self) -> bool {
        false
    }
    /// Counts a plain message. `whole` reads the rest of it with a way to share names;
    /// the sink calls it only where it wants an example. Called only where
    /// [`BrokerSink::counts`] says so.
    fn plain_message(
        &mut self,
        message: &PlainMessage<'_>,
        whole: impl FnOnce(&mut dyn FnMut(&str) -> Arc<str>) -> Option<Message>,
    );
    /// A message, or the delivery of one to a worker.
    fn message(&mut self, message: Message);
    /// A message that the last look reported and that has not changed. Returns whether the
    /// sink still knows it; if not, it has to be reported in full.
    fn unchanged_message(&mut self, unchanged: &UnchangedMessage<'_>) -> bool;
    /// A task that a scheduler publishes by itself, according to the key of its entry.
    fn scheduled(&mut self, key: &str, task: &str);
    /// What became of a task.
    fn result(&mut self, result: TaskResult);
    /// An entry of a queue or a result that is no Celery message.
    fn foreign(&mut self);

    /// A queue of this look, over all its priorities.
    fn queue(&mut self, name: Arc<str>, depth: QueueDepth);
    /// The look is over.
    fn end_look(&mut self, completeness: Completeness);
}

/// One way into a queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Binding<'a> {
    pub exchange: &'a str,
    pub routing_key: &'a str,
    pub queue: &'a str,
}

/// A message without anything unusual, as the few fields that show that. Most of a long
/// queue needs no more.
#[derive(Clone, Copy, Debug)]
pub struct PlainMessage<'a> {
    pub queue: &'a Arc<str>,
    pub task: &'a str,
    pub origin: Option<&'a str>,
    /// Whether another task published it.
    pub nested: bool,
    pub state: MessageState,
    /// Its one context: valid, flat, W3C.
    pub context: SpanContext,
}

/// A message that is where it was at the last look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnchangedMessage<'a> {
    pub id: &'a str,
    /// `headers.retries`: 0 for the first attempt.
    pub attempt: u32,
    pub state: MessageState,
    pub redelivered: bool,
    /// Its index in the list, 0 being the newest.
    pub index: Option<u64>,
}

/// How many messages a queue holds, over all its priorities, and how many of
/// them were read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct QueueDepth {
    /// Messages that wait.
    pub ready: u64,
    /// Messages that workers hold.
    pub unacked: u64,
    /// Entries that were read, both waiting and held.
    pub read: u64,
    /// Entries that are no Celery message.
    pub foreign: u64,
    /// Whether every entry was read.
    pub complete: bool,
    /// How many wait by priority step; empty if that is not known.
    pub priorities: BTreeMap<u32, u64>,
}

impl Default for QueueDepth {
    /// A queue that exists and is empty.
    fn default() -> Self {
        Self { ready: 0, unacked: 0, read: 0, foreign: 0, complete: true, priorities: BTreeMap::new() }
    }
}

/// How much of a broker a look has seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Completeness {
    /// Whether everything that workers hold was read.
    pub held: bool,
    /// The moment since which every existing queue has been visited, so that one that was
    /// not reported is empty. `None` if not all were looked for.
    pub since: Option<Timestamp>,
    /// How many names were left out because there was no room for them. Then nothing is
    /// concluded from what is not in the look.
    pub left_out: u64,
    /// Whether the look ended before all names were visited, and not because the user chose
    /// so: there may be a queue that it did not see.
    pub ended_early: bool,
}

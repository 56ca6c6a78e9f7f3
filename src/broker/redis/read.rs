//! The content of queues and of `unacked`, page by page.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::ops::ControlFlow;
use std::sync::mpsc::sync_channel;
use std::{panic, thread};

use super::connection::{Connection, Pairs, ReadCommand};
use super::discovery::FoundKey;
use super::error::BrokerError;
use super::pager::{Pager, Turn, Window};
use crate::model::Set;
use crate::wire::snapshot::{KeyContent, KeyLine};

/// What to read, and how much of it.
#[derive(Clone, Default, Debug)]
pub struct ReadPlan {
    /// The lists of each queue, one for each priority, in the order in which workers
    /// empty them.
    pub queues: Vec<Vec<FoundKey>>,
    /// The hashes `unacked`.
    pub held: Vec<FoundKey>,
    /// The sorted sets `unacked_index`.
    pub held_since: Vec<FoundKey>,
    /// The most entries of a queue, over all its lists, and of a hash.
    pub limit: Option<u64>,
    /// Whether hashes are read whole all the same, because a wanted message may come
    /// after any number of others.
    pub all_held: bool,
}

impl ReadPlan {
    fn held_limit(&self) -> u64 {
        self.limit.filter(|_| !self.all_held).unwrap_or(u64::MAX)
    }

    /// About how many entries the plan reads.
    pub fn entries(&self) -> u64 {
        let all = |found: &[FoundKey]| found.iter().map(|found| found.len).fold(0, u64::saturating_add);
        let limit = self.limit.unwrap_or(u64::MAX);
        let ready = self.queues.iter().map(|lists| all(lists).min(limit)).fold(0, u64::saturating_add);
        let held = self.held.iter().map(|hash| hash.len.min(self.held_limit())).fold(0, u64::saturating_add);
        ready.saturating_add(held).saturating_add(all(&self.held_since))
    }
}

/// How the reading went.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct ReadSummary {
    /// Entries that were handed out.
    pub entries: u64,
    /// Entries that came a second time and were left out.
    pub seen_twice: u64,
    /// The lists that moved at their tail while they were read.
    pub moved: Vec<String>,
    /// Whether the reader broke it off.
    pub stopped: bool,
}

/// How many fields of a hash are read beyond twice as many as it had. A server whose scan
/// never ends is not Redis, and must not keep tracelink busy.
const GROWN: u64 = 100_000;
/// The most fields of a hash that are read, whatever length the server tells.
const HELD: u64 = 1 << 22;
/// Pages that are asked for and not yet answered, so that the server never waits.
const ASKED: usize = 2;
/// Pages that are answered and not yet judged.
const AHEAD: usize = 2;
/// Members of a sorted set in one page.
const MEMBERS: u64 = 1000;

/// Reads what the plan says and gives it to `each`, page by page. A page holds a part of
/// a list, its newest entry first. The first page holds the entries that workers take
/// next, and the last one the newest, so that a limit keeps those that are consumed next.
/// A thread of its own fetches while `each` judges. `each` may break the reading off.
/// Lists come before `unacked`. A message that a worker takes meanwhile moves in that
/// direction, so it is seen in at least one of the two places, and perhaps in both. About
/// five pages of a megabyte are in memory at a time. Where one entry is larger than a
/// megabyte, a page is one entry.
///
/// # Errors
///
/// [`BrokerError`]. The pages given to `each` until then are valid.
pub fn read(
    connection: &mut Connection,
    plan: &ReadPlan,
    each: &mut dyn FnMut(KeyLine<'static>) -> ControlFlow<()>,
) -> Result<ReadSummary, BrokerError> {
    let (pages, fetched) = sync_channel(AHEAD);
    thread::scope(|scope| {
        let fetching = scope.spawn(move || {
            // The channel closes when `each` has broken off.
            let mut hand_over = |page| match pages.send(page) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            };
            let mut fetch = Fetch { connection, summary: ReadSummary::default(), each: &mut hand_over };
            fetch.all(plan)?;
            Ok(fetch.summary)
        });
        for page in fetched {
            if each(page).is_break() {
                break;
            }
        }
        fetching.join().unwrap_or_else(|cause| panic::resume_unwind(cause))
    })
}

/// The side of the thread that fetches.
struct Fetch<'f> {
    connection: &'f mut Connection,
    summary: ReadSummary,
    each: &'f mut dyn FnMut(KeyLine<'static>) -> ControlFlow<()>,
}

impl Fetch<'_> {
    fn all(&mut self, plan: &ReadPlan) -> Result<(), BrokerError> {
        for lists in &plan.queues {
            let mut room = plan.limit.unwrap_or(u64::MAX);
            for list in lists {
                room -= self.list(list, room)?;
                if self.summary.stopped {
                    return Ok(());
                }
            }
        }
        for hash in &plan.held {
            self.hash(hash, plan.held_limit())?;
        }
        for set in &plan.held_since {
            self.sorted_set(set)?;
        }
        Ok(())
    }

    /// Reads at most `room` entries of a list, and returns how many it read.
    fn list(&mut self, list: &FoundKey, room: u64) -> Result<u64, BrokerError> {
        let key = list.key.as_bytes();
        let len: u64 = self.connection.ask(&ReadCommand::ListLength(key))?;
        let pttl = self.connection.ask(&ReadCommand::TimeToLive(key))?;
        let mut pager = Pager::new(len, room);
        let mut asked: VecDeque<Window> = VecDeque::with_capacity(ASKED);
        let mut is_told = false;
        while !self.summary.stopped {
            while asked.len() < ASKED
                && let Some(window) = pager.ask()
            {
                self.connection.send(&[range(key, window)])?;
                asked.push_back(window);
            }
            let Some(window) = asked.pop_front() else { break };
            let entries: Vec<Vec<u8>> = self.connection.receive(&range(key, window))??;
            match pager.take(window, entries) {
                Turn::Page { entries, .. } if entries.is_empty() => {}
                Turn::Page { entries, from } => {
                    is_told = true;
                    self.summary.entries += entries.len() as u64;
                    let content = KeyContent::List(entries.into_iter().map(Cow::Owned).collect());
                    self.tell(list, pttl, content, Some(len), from, pager.is_complete());
                }
                Turn::Retreat => self.let_go(key, &mut asked)?,
            }
        }
        self.let_go(key, &mut asked)?;
        if !is_told {
            // So its length is known even if the limit left nothing to read.
            self.tell(list, pttl, KeyContent::List(Vec::new()), Some(len), len, pager.is_complete());
        }
        self.summary.seen_twice += pager.seen_twice;
        if pager.moved {
            self.summary.moved.push(list.key.clone());
        }
        Ok(pager.taken())
    }

    /// Reads answers that are no longer needed.
    fn let_go(&mut self, key: &[u8], asked: &mut VecDeque<Window>) -> Result<(), BrokerError> {
        for window in asked.drain(..) {
            self.connection.receive::<Vec<Vec<u8>>>(&range(key, window))??;
        }
        Ok(())
    }

    fn hash(&mut self, hash: &FoundKey, limit: u64) -> Result<(), BrokerError> {
        let key = hash.key.as_bytes();
        let len: u64 = self.connection.ask(&ReadCommand::HashLength(key))?;
        let pttl = self.connection.ask(&ReadCommand::TimeToLive(key))?;
        // A scan may show a field twice while the table is resized.
        let mut seen: Set<u64> = Set::default();
        // The key is random, so that nobody can choose fields with equal digests.
        let digest = RandomState::new();
        let most = limit.min(len.saturating_mul(2).saturating_add(GROWN)).min(HELD);
        let mut cursor = 0;
        while !self.summary.stopped {
            let command = ReadCommand::HashScan { key, cursor };
            let (next, Pairs(mut pairs)): (u64, Pairs<Vec<u8>>) = self.connection.ask(&command)?;
            let answered = pairs.len();
            pairs.retain(|(field, _)| seen.insert(digest.hash_one(field)));
            self.summary.seen_twice += (answered - pairs.len()) as u64;
            self.summary.entries += pairs.len() as u64;
            let pairs = pairs.into_iter().map(|(field, value)| (Cow::Owned(field), Cow::Owned(value)));
            let is_cut = seen.len() as u64 >= most;
            let is_complete = len <= limit && (!is_cut || next == 0);
            self.tell(hash, pttl, KeyContent::Hash(pairs.collect()), Some(len), 0, is_complete);
            cursor = next;
            if cursor == 0 || is_cut {
                break;
            }
        }
        Ok(())
    }

    /// By rank, the longest held first. It is short: a worker holds the messages that it
    /// has fetched, and tasks with an `eta`.
    fn sorted_set(&mut self, set: &FoundKey) -> Result<(), BrokerError> {
        let key = set.key.as_bytes();
        let len: u64 = self.connection.ask(&ReadCommand::SortedLength(key))?;
        let pttl = self.connection.ask(&ReadCommand::TimeToLive(key))?;
        let rank = |rank: u64| i64::try_from(rank).unwrap_or(i64::MAX);
        let mut first = 0;
        while first < len && !self.summary.stopped {
            let last = rank(first + MEMBERS - 1);
            let command = ReadCommand::SortedRange { key, first: rank(first), last };
            let Pairs(members): Pairs<f64> = self.connection.ask(&command)?;
            let members = members.into_iter().map(|(member, score)| (Cow::Owned(member), score));
            self.tell(set, pttl, KeyContent::Zset(members.collect()), Some(len), first, true);
            first += MEMBERS;
        }
        Ok(())
    }

    fn tell(
        &mut self,
        found: &FoundKey,
        pttl: i64,
        content: KeyContent<'static>,
        len: Option<u64>,
        from: u64,
        complete: bool,
    ) {
        let key = Cow::Owned(found.key.clone().into_bytes());
        let page = KeyLine { db: self.connection.database(), key, pttl, content, len, from, complete };
        self.summary.stopped |= (self.each)(page).is_break();
    }
}

fn range(key: &[u8], window: Window) -> ReadCommand<'_> {
    let (first, last) = window.range();
    ReadCommand::ListRange { key, first, last }
}

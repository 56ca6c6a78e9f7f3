//! The passages that a board holds: found by what belongs to them, and let go where there is
//! no room.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::findings::Findings;
use super::passage::Passage;
use crate::model::{HandoffReport, Map, Timestamp, TraceId, TraceReport};

/// Whether something is new, or came before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Came {
    Now,
    /// It may have been let go since: then it gets the place of its age.
    Before,
}

/// When a passage first came, when it began by the clock of its services, and its id: what
/// comes in one round came at the same time.
type Age = (Duration, Option<Timestamp>, u64);

/// All of them, by id.
#[derive(Debug)]
pub struct Passages {
    all: BTreeMap<u64, Arc<Passage>>,
    /// Those of which a finding is told, and the others, the oldest first. The former stay
    /// longer.
    loud: BTreeSet<Age>,
    quiet: BTreeSet<Age>,
    /// How many hand-offs they have, and of how many not both sides were seen.
    handoffs: u64,
    unproven: u64,
    next: u64,
    by_trace: Map<TraceId, u64>,
    by_task: Map<String, u64>,
    /// The passages by the version at which they changed last.
    by_version: BTreeMap<u64, u64>,
    /// Where a passage went that grew together with an older one, [`Self::MERGED`] of them.
    merged: BTreeMap<u64, u64>,
    /// The passages that are not here any more, [`Self::GONE`] of them, by the version at
    /// which they went.
    gone: VecDeque<(u64, u64)>,
    /// Up to which version it is not known any more what went.
    gone_forgotten: u64,
    bytes: usize,
    loud_bytes: usize,
    bound: usize,
    let_go: u64,
}

impl Passages {
    const MERGED: usize = 1_000;
    const GONE: usize = 1_000;
    /// What a passage takes besides: its entries in the indices.
    const ENTRY: usize = 512;
    /// One passage takes at most this part of the room.
    const ONE: usize = 8;

    pub fn new(bound: usize) -> Self {
        Self {
            all: BTreeMap::new(),
            loud: BTreeSet::new(),
            quiet: BTreeSet::new(),
            next: 1,
            by_trace: Map::default(),
            by_task: Map::default(),
            by_version: BTreeMap::new(),
            handoffs: 0,
            unproven: 0,
            merged: BTreeMap::new(),
            gone: VecDeque::new(),
            gone_forgotten: 0,
            bytes: 0,
            loud_bytes: 0,
            bound,
            let_go: 0,
        }
    }

    /// Takes what belongs together, with what is here of it already, and returns the id of
    /// the passage. The version grows by one.
    pub fn insert(
        &mut self,
        (traces, handoffs): (&[TraceReport], &[HandoffReport]),
        came: Came,
        now: Duration,
        version: &mut u64,
        findings: &Findings,
    ) -> u64 {
        let known = self.known(traces, handoffs);
        let mut passage = Passage { first: now, ..Passage::default() };
        for id in &known {
            let Some(other) = self.take(*id) else { continue };
            let other = Arc::unwrap_or_clone(other);
            if passage.id == 0 {
                passage = other;
            } else {
                passage.first = passage.first.min(other.first);
                passage.merge(&other.traces, &other.handoffs, self.bound / Self::ONE);
                self.merged.insert(other.id, passage.id);
                self.went(other.id, *version + 1);
            }
        }
        while self.merged.len() > Self::MERGED {
            self.merged.pop_first();
        }
        let is_recalled = came == Came::Before && passage.id == 0;
        if passage.id == 0 {
            passage.id = self.next;
            self.next += 1;
        }
        passage.merge(traces, handoffs, self.bound / Self::ONE);
        if is_recalled && let Some(began) = passage.began() {
            passage.first = self.came(began, now);
            self.let_go = self.let_go.saturating_sub(1);
        }
        passage.changed = now;
        passage.derive(findings);
        *version += 1;
        let id = passage.id;
        self.put(passage, *version);
        self.keep_room(id, *version);
        id
    }

    /// Remembers that a passage went.
    fn went(&mut self, id: u64, version: u64) {
        if self.gone.len() == Self::GONE
            && let Some((forgotten, _)) = self.gone.pop_front()
        {
            self.gone_forgotten = forgotten;
        }
        self.gone.push_back((version, id));
    }

    /// The passages that these belong to, the oldest first.
    fn known(&self, traces: &[TraceReport], handoffs: &[HandoffReport]) -> BTreeSet<u64> {
        let ends = handoffs.iter().flat_map(|handoff| handoff.producer.iter().chain(&handoff.consumers));
        let traces = traces.iter().map(|trace| trace.trace_id).chain(ends.map(|(trace, _)| *trace));
        let by_task = handoffs.iter().filter_map(|handoff| self.by_task.get(&handoff.task_id));
        traces.filter_map(|trace| self.by_trace.get(&trace)).chain(by_task).copied().collect()
    }

    /// Makes anew what the passages say that show this finding.
    pub fn rejudge(&mut self, finding: &str, version: &mut u64, findings: &Findings) {
        let shows = |passage: &&Arc<Passage>| passage.findings.iter().any(|id| id == finding);
        let ids: Vec<_> = self.all.values().filter(shows).map(|passage| passage.id).collect();
        for id in ids {
            let Some(passage) = self.take(id) else { continue };
            let mut passage = Arc::unwrap_or_clone(passage);
            passage.judge(findings);
            *version += 1;
            self.put(passage, *version);
        }
    }

    fn put(&mut self, mut passage: Passage, version: u64) {
        passage.version = version;
        let (id, bytes) = (passage.id, passage.bytes() + Self::ENTRY);
        self.bytes += bytes;
        if passage.is_loud() {
            self.loud_bytes += bytes;
            self.loud.insert(age(&passage));
        } else {
            self.quiet.insert(age(&passage));
        }
        self.handoffs += passage.handoffs.len() as u64;
        self.unproven += unproven(&passage);
        self.by_version.insert(version, id);
        self.by_trace.extend(passage.traces.iter().map(|trace| (trace.trace_id, id)));
        let tasks = passage.handoffs.iter().map(|handoff| &handoff.task_id).filter(|task| !task.is_empty());
        self.by_task.extend(tasks.map(|task| (task.clone(), id)));
        self.all.insert(id, Arc::new(passage));
    }

    fn take(&mut self, id: u64) -> Option<Arc<Passage>> {
        let passage = self.all.remove(&id)?;
        let bytes = passage.bytes() + Self::ENTRY;
        self.bytes -= bytes;
        if self.loud.remove(&age(&passage)) {
            self.loud_bytes -= bytes;
        }
        self.quiet.remove(&age(&passage));
        self.handoffs -= passage.handoffs.len() as u64;
        self.unproven -= unproven(&passage);
        self.by_version.remove(&passage.version);
        for trace in &passage.traces {
            self.by_trace.remove(&trace.trace_id);
        }
        for handoff in &passage.handoffs {
            self.by_task.remove(&handoff.task_id);
        }
        Some(passage)
    }

    /// Lets the oldest go, as long as there is no room; broken ones only where they take
    /// more than half of it. The one that just came stays.
    fn keep_room(&mut self, newest: u64, version: u64) {
        while self.bytes > self.bound {
            let oldest = |all: &BTreeSet<Age>| all.iter().map(|(.., id)| *id).find(|id| *id != newest);
            let quiet = oldest(&self.quiet).filter(|_| self.loud_bytes <= self.bound / 2);
            let loud = || oldest(&self.loud);
            let Some(goes) = quiet.or_else(loud).or_else(|| oldest(&self.quiet)) else { return };
            self.take(goes);
            self.went(goes, version);
            self.let_go += 1;
        }
    }

    /// The newest first.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Passage>> {
        let (mut loud, mut quiet) = (self.loud.iter().rev().peekable(), self.quiet.iter().rev().peekable());
        let ids =
            std::iter::from_fn(move || if loud.peek() > quiet.peek() { loud.next() } else { quiet.next() });
        ids.filter_map(|(.., id)| self.all.get(id))
    }

    /// How many hand-offs they have, and of how many not both sides were seen.
    pub const fn handoffs(&self) -> (u64, u64) {
        (self.handoffs, self.unproven)
    }

    pub fn get(&self, id: u64) -> Option<&Arc<Passage>> {
        self.all.get(&id)
    }

    pub fn successor(&self, id: u64) -> Option<&Arc<Passage>> {
        let mut id = id;
        while let Some(older) = self.merged.get(&id) {
            id = *older;
        }
        self.get(id)
    }

    pub fn changed_since(&self, version: u64) -> impl Iterator<Item = &Arc<Passage>> {
        self.by_version.range(version + 1..).filter_map(|(_, id)| self.all.get(id))
    }

    pub fn gone_since(&self, version: u64) -> Option<impl Iterator<Item = u64>> {
        let is_known = version >= self.gone_forgotten;
        is_known.then(|| self.gone.iter().filter(move |(at, _)| *at > version).map(|(_, id)| *id))
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn broken(&self) -> usize {
        self.loud.len()
    }

    /// When a passage that began at this time of day would have come, by the one that began
    /// before it, or else by the next.
    fn came(&self, began: Timestamp, now: Duration) -> Duration {
        let known = self.all.values().filter_map(|passage| Some((passage.began()?, passage.first)));
        let (before, after): (Vec<_>, Vec<_>) = known.partition(|(other, _)| *other <= began);
        match (before.into_iter().max(), after.into_iter().min()) {
            (Some((other, first)), next) => {
                let limit = next.map_or(now, |(_, first)| first);
                first.saturating_add(began.since(other)).min(limit.max(first))
            }
            (None, Some((other, first))) => first.saturating_sub(other.since(began)),
            (None, None) => now,
        }
    }

    pub const fn let_go(&self) -> u64 {
        self.let_go
    }

    pub const fn bytes(&self) -> usize {
        self.bytes
    }
}

fn age(passage: &Passage) -> Age {
    (passage.first, passage.began(), passage.id)
}

/// How many of its hand-offs were not seen whole.
fn unproven(passage: &Passage) -> u64 {
    passage.handoffs.iter().filter(|handoff| handoff.unproven.is_some()).count() as u64
}

//! Ways to find a task or a hand-made run other than by a task's id.

use std::collections::BTreeMap;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::evidence::spans::{SpanKey, SpanStore, StoredSpan};
use crate::model::memory_size::{allocation, in_map};
use crate::model::{Map, SpanId, Timestamp, TraceId};

/// A span context: what a carrier hands over.
pub type ContextKey = SpanKey;

/// A span that was started from a context, in the order of its start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Continuation {
    start: Timestamp,
    span_id: SpanId,
    trace_id: TraceId,
}

impl Continuation {
    pub const fn key(&self) -> SpanKey {
        SpanKey { trace_id: self.trace_id, span_id: self.span_id }
    }
}

/// What an entry takes: a context, and a task or a span.
const ENTRY: usize = in_map(size_of::<(ContextKey, SmallVec<[Continuation; 1]>)>()) + 64;

/// Tasks by the contexts that their messages carry, and hand-made consumer spans by what
/// they name. The maps are seeded, as ids come from outside.
#[derive(Default, Debug)]
pub(super) struct Index {
    /// Tasks by each context that one of their messages carries, in the order of their ids.
    /// A carrier that is reused may belong to ten thousand.
    carried: Map<ContextKey, SmallVec<[Arc<str>; 1]>>,
    /// Hand-made consumer spans without an id, by the context that they were started from
    /// (their parent, or the target of a link), in the order of start.
    continued: Map<ContextKey, SmallVec<[Continuation; 1]>>,
    /// Hand-made consumer spans that name a message: the id may be a task's.
    named: Map<Box<str>, SmallVec<[SpanKey; 1]>>,
    /// Hand-made consumer spans that began a trace of their own, with or without a link, by
    /// name.
    orphans: BTreeMap<Arc<str>, Vec<SpanKey>>,
    bytes: usize,
}

impl Index {
    /// A message of this task carries `context`.
    pub fn add_carried(&mut self, context: ContextKey, task: &str) {
        let carriers = self.carried.entry(context).or_default();
        if let Err(place) = carriers.binary_search_by(|id| (**id).cmp(task)) {
            carriers.insert(place, task.into());
            self.bytes += ENTRY;
        }
    }

    /// A consumer span without an id that was started from `context`.
    pub fn add_continuation(&mut self, context: ContextKey, span: SpanKey, start: Timestamp) {
        let continuation = Continuation { start, span_id: span.span_id, trace_id: span.trace_id };
        let known = self.continued.entry(context).or_default();
        let place = known.partition_point(|earlier| *earlier <= continuation);
        known.insert(place, continuation);
        self.bytes += ENTRY;
    }

    /// A hand-made consumer span that names a message by this id.
    pub fn add_named(&mut self, id: &str, span: SpanKey) {
        self.bytes += ENTRY;
        match self.named.get_mut(id) {
            Some(spans) => spans.push(span),
            None => {
                self.named.insert(id.into(), SmallVec::from([span]));
            }
        }
    }

    /// The hand-made consumer spans that name a message by this id.
    pub fn named(&self, id: &str) -> &[SpanKey] {
        self.named.get(id).map_or(&[], SmallVec::as_slice)
    }

    /// A consumer span without a parent that the instrumentor did not make.
    pub fn add_orphan(&mut self, name: &Arc<str>, span: SpanKey) {
        self.bytes += allocation(size_of::<SpanKey>());
        self.orphans.entry(Arc::clone(name)).or_default().push(span);
    }

    /// The hand-made consumer spans that began a trace of their own, by name.
    pub fn orphans(&self) -> &BTreeMap<Arc<str>, Vec<SpanKey>> {
        &self.orphans
    }

    /// Whether any message carries a context at all.
    pub fn carries_contexts(&self) -> bool {
        !self.carried.is_empty()
    }

    /// The tasks whose messages carry `context`, in the order of their ids.
    pub fn carrying(&self, context: ContextKey) -> &[Arc<str>] {
        self.carried.get(&context).map_or(&[], SmallVec::as_slice)
    }

    /// The hand-made consumer spans that were started from `context`, by start.
    pub fn continuations(&self, context: ContextKey) -> &[Continuation] {
        self.continued.get(&context).map_or(&[], SmallVec::as_slice)
    }

    /// Contexts that no message carries but from which hand-made consumer spans were
    /// started, with those spans.
    pub fn uncarried(&self) -> impl Iterator<Item = (ContextKey, &[Continuation])> {
        let uncarried = self.continued.iter().filter(|(context, _)| !self.carried.contains_key(*context));
        uncarried.map(|(context, spans)| (*context, spans.as_slice()))
    }

    /// Contexts that more than one task's messages carry.
    pub fn shared_contexts(&self) -> impl Iterator<Item = (ContextKey, &[Arc<str>])> {
        self.carried.iter().filter(|(_, tasks)| tasks.len() > 1).map(|(key, tasks)| (*key, tasks.as_slice()))
    }

    /// About how many bytes the entries take.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Removes a span from all that it is filed under.
    pub fn unfile(&mut self, key: SpanKey, span: &StoredSpan) {
        let parent = span.parent.map(|parent| SpanKey { trace_id: key.trace_id, span_id: parent });
        let links = span.links().iter();
        let links = links.map(|link| SpanKey { trace_id: link.trace_id, span_id: link.span_id });
        for context in parent.into_iter().chain(links) {
            if let Some(known) = self.continued.get_mut(&context) {
                let before = known.len();
                known.retain(|continuation| continuation.key() != key);
                self.bytes = self.bytes.saturating_sub((before - known.len()) * ENTRY);
                if known.is_empty() {
                    self.continued.remove(&context);
                }
            }
        }
        if let Some(id) = span.message_id()
            && let Some(known) = self.named.get_mut(id)
        {
            let before = known.len();
            known.retain(|known| *known != key);
            self.bytes = self.bytes.saturating_sub((before - known.len()) * ENTRY);
            if known.is_empty() {
                self.named.remove(id);
            }
        }
        if let Some(known) = self.orphans.get_mut(&span.name) {
            let before = known.len();
            known.retain(|known| *known != key);
            let freed = (before - known.len()) * allocation(size_of::<SpanKey>());
            self.bytes = self.bytes.saturating_sub(freed);
            if known.is_empty() {
                self.orphans.remove(&span.name);
            }
        }
    }

    /// Clears the entries of traces and tasks that are gone.
    pub fn sweep(&mut self, is_known: impl Fn(&str) -> bool, spans: &SpanStore) {
        let is_here = |key: &SpanKey| spans.trace(key.trace_id).is_some();
        let mut freed = 0;
        self.carried.retain(|_, ids| {
            let before = ids.len();
            ids.retain(|id| is_known(id));
            freed += (before - ids.len()) * ENTRY;
            !ids.is_empty()
        });
        self.continued.retain(|_, keys| {
            let before = keys.len();
            keys.retain(|continuation| is_here(&continuation.key()));
            freed += (before - keys.len()) * ENTRY;
            !keys.is_empty()
        });
        self.named.retain(|_, keys| {
            let before = keys.len();
            keys.retain(|key| is_here(key));
            freed += (before - keys.len()) * ENTRY;
            !keys.is_empty()
        });
        self.orphans.retain(|_, keys| {
            let before = keys.len();
            keys.retain(is_here);
            freed += (before - keys.len()) * allocation(size_of::<SpanKey>());
            !keys.is_empty()
        });
        self.bytes = self.bytes.saturating_sub(freed);
    }
}

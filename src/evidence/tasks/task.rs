//! Everything that was found under one task id.

use std::sync::Arc;

use smallvec::SmallVec;

use super::delivery::Delivery;
use super::index::ContextKey;
use crate::evidence::age::Age;
use crate::evidence::spans::SpanKey;
use crate::model::memory_size::{allocation, in_map};
use crate::model::{TaskResult, TraceId};

/// Everything that was seen under one task id.
#[derive(Debug)]
pub struct Task {
    pub id: Arc<str>,
    /// PRODUCER spans that name it, whoever made them.
    pub producers: SmallVec<[SpanKey; 1]>,
    /// CONSUMER spans that carry the id.
    pub consumers: SmallVec<[SpanKey; 1]>,
    /// The message of each attempt, with every observation of it.
    pub messages: Vec<Delivery>,
    pub result: Option<Box<TaskResult>>,
    pub age: Age,
    /// Which attempts were counted for whoever monitors them.
    pub counted: CountedAttempts,
}

/// Attempts that were counted: a bit for each, and one for all beyond the last bit.
#[derive(Clone, Copy, Default, Debug)]
pub struct CountedAttempts {
    judged: u32,
    waited: u32,
}

impl CountedAttempts {
    /// Notes that an attempt was judged. Returns whether it was for the first time.
    pub const fn judged(&mut self, attempt: u32) -> bool {
        Self::note(&mut self.judged, attempt)
    }

    /// Notes that it is known how long an attempt waited. Returns whether it was not before.
    pub const fn waited(&mut self, attempt: u32) -> bool {
        Self::note(&mut self.waited, attempt)
    }

    const fn note(noted: &mut u32, attempt: u32) -> bool {
        let last = u32::BITS - 1;
        let bit = 1 << if attempt < last { attempt } else { last };
        let is_new = *noted & bit == 0;
        *noted |= bit;
        is_new
    }
}

impl Task {
    pub(super) fn new(id: Arc<str>, age: Age) -> Self {
        Self {
            id,
            producers: SmallVec::new(),
            consumers: SmallVec::new(),
            messages: Vec::new(),
            result: None,
            age,
            counted: CountedAttempts::default(),
        }
    }

    /// Every trace that it takes part in, and those that its messages name.
    pub fn traces(&self) -> impl Iterator<Item = TraceId> {
        let spans = self.producers.iter().chain(&self.consumers).map(|key| key.trace_id);
        spans.chain(self.contexts().map(|context| context.trace_id))
    }

    /// The contexts that its messages carry.
    pub fn contexts(&self) -> impl Iterator<Item = ContextKey> {
        let carried = self.messages.iter().flat_map(|delivery| &delivery.message.contexts);
        carried
            .filter_map(|carried| carried.context())
            .map(|context| SpanKey { trace_id: context.trace_id, span_id: context.span_id })
    }

    /// About how many bytes it takes, including its entry.
    pub fn bytes(&self) -> usize {
        let messages: usize = self.messages.iter().map(Delivery::bytes).sum();
        ENTRY + messages + self.result.as_ref().map_or(0, |_| RESULT)
    }
}

/// What a task takes without its messages and its result: the entry and the id.
pub(super) const ENTRY: usize =
    in_map(size_of::<(Arc<str>, Box<Task>)>()) + allocation(size_of::<Task>()) + 64;

/// What a result takes, with an exception and a traceback as they are stored.
pub(super) const RESULT: usize = size_of::<TaskResult>() + 512;

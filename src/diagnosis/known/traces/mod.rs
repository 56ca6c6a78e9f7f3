//! What several diagnoses look for in a trace, found in one pass over it and kept for the
//! round.

mod fabricated_parents;
mod index;
mod missing_parents;

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use self::index::TraceIndex;
use super::orphans::by_start;
use crate::evidence::{Evidence, SpanKey, SpanRef, StoredSpan, Trace};
use crate::model::{Map, ParentOrigin, TraceId};

pub use fabricated_parents::FabricatedParent;
pub use missing_parents::{MissingParent, ParentProcess};

/// The traces of the evidence, with what was looked for in them.
#[derive(Debug)]
pub struct Traces<'e> {
    evidence: &'e Evidence,
    is_live: bool,
    rootless: OnceCell<Vec<SpanRef<'e>>>,
    indexes: RefCell<Map<TraceId, Rc<TraceIndex<'e>>>>,
    missing: RefCell<Map<TraceId, Rc<Missing<'e>>>>,
}

/// The parents of one trace that did not arrive.
#[derive(Default, Debug)]
pub struct Missing<'e> {
    /// Each span below one, in the order of the trace.
    pub parents: Vec<MissingParent<'e>>,
    /// Those whose ids a worker made up.
    pub fabricated: Vec<FabricatedParent<'e>>,
}

impl<'e> Traces<'e> {
    pub(super) fn of(evidence: &'e Evidence, is_live: bool) -> Self {
        Self {
            evidence,
            is_live,
            rootless: OnceCell::new(),
            indexes: RefCell::default(),
            missing: RefCell::default(),
        }
    }

    /// Whether nothing more is expected for a trace, as far as can be told. Only then may
    /// anything be concluded from what it lacks.
    pub fn has_settled(&self, trace: &Trace) -> bool {
        self.evidence.has_trace_settled(trace, self.is_live)
    }

    fn index(&self, id: TraceId) -> Rc<TraceIndex<'e>> {
        let mut all = self.indexes.borrow_mut();
        Rc::clone(all.entry(id).or_insert_with(|| Rc::new(TraceIndex::of(self.evidence, id))))
    }

    /// The first SERVER span whose parent is this span.
    pub fn server_below(&self, parent: SpanKey) -> Option<SpanRef<'e>> {
        self.index(parent.trace_id).servers.get(&parent.span_id).copied()
    }

    /// The hand-made consumer spans of a trace, by start.
    pub fn hand_made_consumers(&self, trace: TraceId) -> Vec<SpanRef<'e>> {
        self.index(trace).by_hand.clone()
    }

    /// The parents that a trace lacks.
    pub fn missing(&self, trace: TraceId) -> Rc<Missing<'e>> {
        if let Some(found) = self.missing.borrow().get(&trace) {
            return Rc::clone(found);
        }
        let is_a_callers = |parent| self.server_below(parent).is_some();
        let found = self.evidence.spans.trace(trace).map(|trace| {
            let parents = missing_parents::missing_parents(trace, self.evidence);
            let fabricated =
                fabricated_parents::fabricated_parents(trace, &parents, self.evidence, is_a_callers);
            Missing { parents, fabricated }
        });
        let found = Rc::new(found.unwrap_or_default());
        self.missing.borrow_mut().insert(trace, Rc::clone(&found));
        found
    }

    /// For each trace in which only spans of one process are below a span of that process
    /// that has not arrived: the first of them. In the order of their start. Traces are
    /// left out if a message carries a context of theirs.
    pub fn rootless(&self) -> &[SpanRef<'e>] {
        self.rootless.get_or_init(|| {
            let mut firsts: Vec<_> =
                self.evidence.spans.traces().filter_map(|trace| self.first_of_rootless(trace)).collect();
            firsts.sort_by_key(by_start);
            firsts
        })
    }

    fn first_of_rootless(&self, trace: &'e Trace) -> Option<SpanRef<'e>> {
        let is_loose = |span: &StoredSpan| {
            let Some(parent) = span.parent else { return false };
            let key = SpanKey { trace_id: trace.id, span_id: parent };
            trace.get(parent).is_some()
                || (span.parent_origin == ParentOrigin::Local && self.evidence.tasks.carrying(key).is_empty())
        };
        let is_rootless = !trace.is_remnant() && trace.spans.iter().all(is_loose);
        let first = trace.spans.iter().filter(|_| is_rootless).min_by_key(|span| (span.start, span.id))?;
        trace.spans.iter().all(|span| span.process == first.process).then_some(SpanRef { trace, span: first })
    }
}

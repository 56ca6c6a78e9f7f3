//! What had not settled when the watch ended. More may have been on its way, so nothing may
//! be concluded from what it lacks.

use std::sync::Arc;

use super::unit::Unit;
use crate::model::{Set, TraceId};

/// Traces and tasks for which the watch ended too early. Empty while evidence comes in, and
/// for files that no watch left: those are over.
#[derive(Default, Debug)]
pub struct Unsettled {
    traces: Set<TraceId>,
    tasks: Set<Arc<str>>,
    /// Whether it may be any of them, because evidence was lost.
    any: bool,
}

impl Unsettled {
    pub fn has_trace(&self, id: TraceId) -> bool {
        self.any || self.traces.contains(&id)
    }

    pub fn has_task(&self, id: &str) -> bool {
        self.any || self.tasks.contains(id)
    }

    pub fn has(&self, unit: &Unit) -> bool {
        match unit {
            Unit::Trace(id) => self.has_trace(*id),
            Unit::Task(id) => self.has_task(id),
        }
    }

    /// Notes that something may be missing from any trace and task.
    pub fn doubt_all(&mut self) {
        self.any = true;
    }

    pub fn insert(&mut self, unit: Unit) {
        match unit {
            Unit::Trace(id) => self.traces.insert(id),
            Unit::Task(id) => self.tasks.insert(id),
        };
    }

    pub fn remove(&mut self, unit: &Unit) {
        match unit {
            Unit::Trace(id) => self.traces.remove(id),
            Unit::Task(id) => self.tasks.remove(id),
        };
    }

    /// In no order that means anything.
    pub fn tasks(&self) -> impl Iterator<Item = &str> {
        self.tasks.iter().map(|id| &**id)
    }

    /// In no order that means anything.
    pub fn units(&self) -> impl Iterator<Item = Unit> {
        let traces = self.traces.iter().map(|id| Unit::Trace(*id));
        traces.chain(self.tasks.iter().map(|id| Unit::Task(Arc::clone(id))))
    }
}

//! What was concluded from evidence before it was let go, so that no count is lost with it.

use super::figures::Figures;
use super::findings::Findings;
use crate::model::Finding;

/// The conclusions so far: bounded, however much evidence was let go.
#[derive(Clone, Default, Debug)]
pub struct Conclusions {
    pub(super) findings: Findings,
    pub(super) figures: Figures,
    /// Hand-offs that were let go.
    pub(super) handoffs: u64,
}

impl Conclusions {
    /// About how many bytes the conclusions take.
    pub fn bytes(&self) -> usize {
        self.findings.bytes() + self.figures.bytes()
    }

    /// Whether a finding covers hand-offs of this task.
    pub(super) fn explains(&self, task: &str) -> bool {
        self.of_handoffs().any(|finding| finding.tasks.contains(task))
    }

    /// Whether a finding covers hand-offs of any task that has a name.
    pub(super) fn explains_any(&self) -> bool {
        self.of_handoffs().any(|finding| !finding.tasks.is_empty())
    }

    fn of_handoffs(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| !finding.handoffs.is_empty())
    }
}

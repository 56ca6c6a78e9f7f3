//! What was concluded of evidence that was let go, so that no count is lost
//! with it.

use super::figures::Figures;
use super::findings::Findings;

/// The conclusions so far: bounded, however much went.
#[derive(Clone, Default, Debug)]
pub struct Ledger {
    pub(super) findings: Findings,
    pub(super) figures: Figures,
    /// Hand-offs that were let go.
    pub(super) handoffs: u64,
}

impl Ledger {
    /// Whether a finding speaks for hand-offs of this task.
    pub(super) fn explains(&self, task: &str) -> bool {
        self.findings.iter().any(|finding| finding.tasks.contains(task))
    }
}

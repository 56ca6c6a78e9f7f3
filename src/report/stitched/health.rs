//! How a passage is, by what its hand-offs and traces say.

use std::collections::BTreeSet;

use crate::model::{HandoffReport, Severity, TraceReport};

/// How a passage is. The worst comes last in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Health {
    /// Every hand-off of it is whole, or it has none.
    #[default]
    Whole,
    /// A hand-off has no run so far, and nothing is wrong with that.
    Waits,
    /// Nothing that was seen is wrong, but not every hand-off was seen whole.
    Unproven,
    /// A warning.
    Damaged,
    /// An error.
    Broken,
}

impl Health {
    /// The health of what these hand-offs and traces show. `severity_of` knows the
    /// findings that count, by their ids; others are set aside.
    pub fn of(
        traces: &[TraceReport],
        handoffs: &[HandoffReport],
        severity_of: impl Fn(&str) -> Option<Severity>,
    ) -> Self {
        let said = finding_ids(traces, handoffs).into_iter().filter_map(severity_of);
        let by_findings = match said.min() {
            Some(Severity::Error) => Self::Broken,
            Some(Severity::Warning) => Self::Damaged,
            Some(Severity::Note) | None => Self::Whole,
        };
        handoffs.iter().map(Self::of_handoff).fold(by_findings, Self::max)
    }

    /// What a hand-off says of itself, whatever its finding is.
    fn of_handoff(handoff: &HandoffReport) -> Self {
        match () {
            () if handoff.unproven.is_some() => Self::Unproven,
            () if has_no_run_yet(handoff) => Self::Waits,
            () => Self::Whole,
        }
    }

    pub const fn mark(self) -> &'static str {
        match self {
            Self::Whole => "✓",
            Self::Waits => "…",
            Self::Unproven => "?",
            Self::Damaged => "!",
            Self::Broken => "✗",
        }
    }

    pub const fn word(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Waits => "waits",
            Self::Unproven => "unproven",
            Self::Damaged => "damaged",
            Self::Broken => "broken",
        }
    }
}

/// Whether nothing is wrong with a hand-off that has no run: it waits, or runs.
pub fn has_no_run_yet(handoff: &HandoffReport) -> bool {
    let is_over = handoff.result.as_deref().is_some_and(|result| !matches!(result, "PENDING" | "STARTED"));
    handoff.consumers.is_empty() && handoff.finding.is_none() && handoff.unproven.is_none() && !is_over
}

/// The ids of the findings that hand-offs and spans name.
pub fn finding_ids<'r>(traces: &'r [TraceReport], handoffs: &'r [HandoffReport]) -> BTreeSet<&'r str> {
    let of_spans = traces.iter().flat_map(|trace| &trace.spans).filter_map(|span| span.orphan.as_deref());
    handoffs.iter().filter_map(|handoff| handoff.finding.as_deref()).chain(of_spans).collect()
}

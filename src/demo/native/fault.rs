//! The faults: each breaks exactly one thing, and says what tracelink must name.

use super::scenario::Scenario;
use crate::model::{Report, Severity};

/// A fault, or a healthy scenario that looks like one.
#[derive(Debug)]
pub struct Fault {
    pub slug: &'static str,
    /// What is broken, in a sentence.
    pub what: &'static str,
    /// What a user sees in a tracing backend.
    pub seen: &'static str,
    /// The slug of the diagnosis that must be named first; `None` if there may be no
    /// finding at warning or above.
    pub expects: Option<&'static str>,
    /// Slugs that may be found as well, at warning or above.
    pub also: &'static [&'static str],
    pub(super) change: fn(&mut Scenario),
}

impl Fault {
    /// The scenario with this one thing changed.
    pub fn scenario(&self) -> Scenario {
        let mut scenario = Scenario::default();
        (self.change)(&mut scenario);
        scenario
    }

    /// Whether a report says what it must about this fault, and no more than it may.
    pub fn is_right(&self, report: &Report) -> bool {
        let mut loud = report.findings.iter().filter(|finding| finding.severity <= Severity::Warning);
        let may_be_said = |slug: &&str| self.expects == Some(slug) || self.also.contains(slug);
        report.verdict.slug == self.expects && loud.all(|finding| may_be_said(&finding.slug))
    }
}

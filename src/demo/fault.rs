//! The faults: each breaks exactly one thing, and says what tracelink must name.

use super::faults;
use super::play::Play;
use crate::model::{Report, Severity};

/// A fault, or a healthy play that looks like one.
#[derive(Debug)]
pub struct Fault {
    pub slug: &'static str,
    /// What is broken, in a sentence.
    pub what: &'static str,
    /// What a user sees in a tracing backend.
    pub seen: &'static str,
    /// The slug of the diagnosis that must be named first; `None` where
    /// nothing at warning or above may be said.
    pub expects: Option<&'static str>,
    /// Slugs that may be found besides, at warning or above.
    pub also: &'static [&'static str],
    pub(super) change: fn(&mut Play),
}

impl Fault {
    /// The play with this one thing changed.
    pub fn play(&self) -> Play {
        let mut play = Play::default();
        (self.change)(&mut play);
        play
    }

    /// Whether a report says what must be said of this fault, and no more than may be.
    pub fn is_right(&self, report: &Report) -> bool {
        let mut loud = report.findings.iter().filter(|finding| finding.severity <= Severity::Warning);
        let may_be_said = |slug: &&str| self.expects == Some(slug) || self.also.contains(slug);
        report.verdict.slug == self.expects && loud.all(|finding| may_be_said(&finding.slug))
    }
}

/// Every fault, by the station at which it breaks the trace, the healthy last.
pub fn all() -> impl Iterator<Item = &'static Fault> {
    [
        faults::INJECT,
        faults::CARRY,
        faults::EXTRACT,
        faults::SAMPLING,
        faults::EXPORT,
        faults::DELIVERY,
        faults::ARTICLE,
        faults::HEALTHY,
    ]
    .into_iter()
    .flatten()
}

/// The fault of that slug.
pub fn find(slug: &str) -> Option<&'static Fault> {
    all().find(|fault| fault.slug == slug)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn slugs_are_unique_and_what_is_expected_is_a_diagnosis() {
        let mut slugs = BTreeSet::new();
        for fault in all() {
            assert!(slugs.insert(fault.slug), "{} twice", fault.slug);
            assert!(
                fault.expects.is_none_or(|slug| crate::diagnosis::find(slug).is_some()),
                "{}",
                fault.slug
            );
            assert!(!fault.what.is_empty() && !fault.seen.is_empty(), "{}", fault.slug);
        }
    }

    #[test]
    fn what_both_applications_act_out_has_one_slug_and_one_name() {
        let python = crate::demo::python_app::manifest();
        let both: Vec<_> = all().filter_map(|fault| Some((fault, python.find(fault.slug)?))).collect();
        for (fault, entry) in &both {
            assert_eq!(entry.expect.as_deref(), fault.expects, "{}", fault.slug);
        }
        assert!(!both.is_empty(), "the two have no fault in common");
    }

    #[test]
    fn every_fault_changes_something() {
        let healthy = format!("{:?}", Play::default());
        for fault in all().filter(|fault| fault.slug != "healthy") {
            assert_ne!(format!("{:?}", fault.play()), healthy, "{}", fault.slug);
        }
    }
}

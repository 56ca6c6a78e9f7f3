//! The faults by family, as tables, and all of them.

mod article;
mod carry;
mod delivery;
mod export;
mod extract;
mod hand_made;
mod healthy;
mod inject;
mod sampling;

use crate::demo::native::fault::Fault;

/// Every fault, by the station at which it breaks the trace, the healthy last.
pub fn all() -> impl Iterator<Item = &'static Fault> {
    [
        inject::FAULTS,
        carry::FAULTS,
        extract::FAULTS,
        sampling::FAULTS,
        export::FAULTS,
        delivery::FAULTS,
        article::FAULTS,
        healthy::FAULTS,
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
    use crate::demo::native::scenario::Scenario;

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
        let healthy = format!("{:?}", Scenario::default());
        for fault in all().filter(|fault| fault.slug != "healthy") {
            assert_ne!(format!("{:?}", fault.scenario()), healthy, "{}", fault.slug);
        }
    }
}

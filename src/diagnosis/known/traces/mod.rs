//! What several diagnoses look for in one trace.

pub(super) mod fabricated_parents;
pub(super) mod index;

//! What can be wrong with a pickle.

/// Why a pickle could not be walked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("broken pickle at byte {at}: {why}")]
pub struct PickleError {
    pub at: usize,
    pub why: &'static str,
}

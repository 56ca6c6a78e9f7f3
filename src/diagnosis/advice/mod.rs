//! The fixes, by what they change.
//!
//! Each says which diagnoses it mends, by their codes: `grep TL301` in this folder
//! finds the fix for TL301. A rule takes its fixes from here and writes none of its
//! own, so that two rules which mend the same thing say the same. Every line can be
//! pasted where its step says: a name in it is imported by the fix, bound at its
//! place, or taken from the evidence.
//!
//! What comes from outside (a key, the name of a queue) is put into a line only
//! as [`plain_name::plain_name`] lets it, since people paste these lines into a shell.
//!
//! What is pasted inside of a function imports under names that no program has
//! (`inject as write_context`): an import makes its name local to the whole function,
//! and a line above it that uses `propagate` would fail.

pub mod carrier;
pub mod carrier_shape;
pub mod celery;
pub mod envelope;
pub mod export;
pub mod extraction;
pub mod forwarding;
pub mod identity;
pub mod injection;
pub mod instrumentation;
mod plain_name;
pub mod processor;
pub mod propagators;
pub mod request;
pub mod sampling;
mod setting_fix;
pub mod setup;
pub mod silence;
mod task_context;
mod threads;
pub mod tracelink;
pub mod vendors;

use crate::model::Fix;

/// Fixes of several choices for the documentation, each title once.
pub fn distinct(fixes: impl IntoIterator<Item = Fix>) -> Vec<Fix> {
    let mut distinct: Vec<Fix> = Vec::new();
    for fix in fixes {
        if distinct.iter().all(|known| known.title != fix.title) {
            distinct.push(fix);
        }
    }
    distinct
}

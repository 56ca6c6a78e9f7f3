//! What a rule is, and what every rule imports.
//!
//! A rule is one static and one function in one file, whose doc text is the
//! user's documentation too (`tracelink explain`, `docs/diagnoses.md`). It reads
//! [`Evidence`](crate::evidence::Evidence) and never changes it. A rule does not
//! know the other rules: where it names one, it does so by its
//! [slug](super::slug).

use crate::evidence::{Handoff, Trace};
use crate::model::{Fix, Severity, Station};

pub use super::known::Known;
pub use super::occurrence::Occurrence;
pub(super) use super::quote;

/// A cause, and how to tell that it is one.
#[derive(Debug)]
pub struct Diagnosis {
    /// Stable: `TL` and three digits, the first of which is the station's.
    pub code: &'static str,
    /// The public name. Stable, and never changes its meaning.
    pub slug: &'static str,
    /// The station at which the context was lost.
    pub station: Option<Station>,
    /// The severity that it has unless an occurrence says otherwise.
    pub severity: Severity,
    /// The cause in one sentence, without a full stop.
    pub summary: &'static str,
    /// The user's documentation, in Markdown.
    pub doc: &'static str,
    /// The ways to mend it, as findings have them, for the documentation: with
    /// examples where a finding has what it saw.
    pub fixes: fn() -> Vec<Fix>,
    pub check: Check,
}

/// What a diagnosis looks at.
#[derive(Debug)]
pub enum Check {
    /// One hand-off. Of all diagnoses of this kind only the first that finds
    /// something speaks, in the order of the registry's `SPEAKING_ORDER`.
    Handoff(fn(&Handoff<'_>, &Known<'_>) -> Judgment),
    /// One hand-off, in addition to other findings.
    Remark(fn(&Handoff<'_>, &Known<'_>) -> Judgment),
    /// One trace.
    Trace(fn(&Trace, &Known<'_>, &mut dyn FnMut(Occurrence))),
    /// Services, queues, origins or the receiver as a whole.
    Population(fn(&Known<'_>, &mut dyn FnMut(Occurrence))),
    /// How many hand-offs there were, once all are judged.
    Tally(fn(&Tally) -> Option<Occurrence>),
}

/// How many hand-offs were judged.
#[derive(Clone, Copy, Debug)]
pub struct Tally {
    pub seen: u64,
    pub whole: u64,
    /// How many whole ones the user asked for.
    pub expected: Option<u64>,
    /// Whether the programs were started under the receiver, which ends with them.
    pub is_wrapped: bool,
}

/// What a diagnosis says of a hand-off.
#[derive(Debug)]
pub enum Judgment {
    Clean,
    Finding(Box<Occurrence>),
    /// Too early to say: a span may be on its way, or the message still waits in its queue.
    Wait,
}

impl From<Occurrence> for Judgment {
    fn from(occurrence: Occurrence) -> Self {
        Self::Finding(Box::new(occurrence))
    }
}

/// Declares a diagnosis. Its doc text is kept for the user.
macro_rules! diagnosis {
    (
        $(#[doc = $doc:literal])*
        pub static $name:ident = {
            code: $code:literal,
            slug: $slug:literal,
            station: $station:expr,
            severity: $severity:ident,
            summary: $summary:literal,
            $(fixes: $fixes:expr,)?
            check: $kind:ident($check:path),
        }
    ) => {
        $(#[doc = $doc])*
        pub static $name: $crate::diagnosis::rule::Diagnosis = $crate::diagnosis::rule::Diagnosis {
            code: $code,
            slug: $slug,
            station: $station,
            severity: $crate::model::Severity::$severity,
            summary: $summary,
            doc: concat!($($doc, "\n"),*),
            fixes: $crate::diagnosis::rule::fixes_of!($($fixes)?),
            check: $crate::diagnosis::rule::Check::$kind($check),
        };
    };
}
pub(crate) use diagnosis;

/// The fixes that a diagnosis declares, or none.
macro_rules! fixes_of {
    ($fixes:expr) => {
        $fixes
    };
    () => {
        Vec::new
    };
}
pub(crate) use fixes_of;

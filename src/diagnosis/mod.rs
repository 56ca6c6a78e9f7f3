//! The catalogue: why a trace broke.
//!
//! One file a diagnosis, whose doc text is the user's documentation too
//! (`tracelink explain`, `docs/diagnoses.md`). A diagnosis reads
//! [`Evidence`](crate::evidence::Evidence) and never changes it; it knows
//! neither formats nor terminals.

mod assemble;
mod figures;
mod findings;
mod judge;
mod judging;
mod known;
mod ledger;
mod occurrence;
mod quote;
mod stations;
mod watch;

pub mod carry;
pub mod delivery;
mod excerpt;
pub mod export;
pub mod extract;
pub mod identity;
pub mod inject;
pub mod privacy;
pub mod sampling;
pub mod tree;

use crate::evidence::{Handoff, Trace};
use crate::model::{Severity, Station};

pub use assemble::{Listing, report, report_with};
pub use figures::Figures;
pub use judge::{Judged, judge};
pub use judging::JudgedHandoff;
pub use known::Known;
pub use ledger::Ledger;
pub use occurrence::Occurrence;
pub use watch::{Pace, Watch};

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
    pub check: Check,
}

/// What a diagnosis looks at.
#[derive(Debug)]
pub enum Check {
    /// One hand-off. Of all diagnoses of this kind only the first that finds
    /// something speaks, in the order of [`SPEAKING_ORDER`].
    Handoff(fn(&Handoff<'_>, &Known<'_>) -> Verdict),
    /// One hand-off, besides whatever else is said of it.
    Remark(fn(&Handoff<'_>, &Known<'_>) -> Verdict),
    /// One trace.
    Trace(fn(&Trace, &Known<'_>, &mut dyn FnMut(Occurrence))),
    /// Services, queues, origins or the receiver as a whole.
    Population(fn(&Known<'_>, &mut dyn FnMut(Occurrence))),
}

/// What a diagnosis says of a hand-off.
#[derive(Debug)]
pub enum Verdict {
    Clean,
    Finding(Box<Occurrence>),
    /// Not to be said yet: a span may be on its way, or the message still
    /// waits in its queue.
    Wait,
}

impl From<Occurrence> for Verdict {
    fn from(occurrence: Occurrence) -> Self {
        Self::Finding(Box::new(occurrence))
    }
}

/// Declares a diagnosis; its doc text is kept for the user.
macro_rules! diagnosis {
    (
        $(#[doc = $doc:literal])*
        pub static $name:ident = {
            code: $code:literal,
            slug: $slug:literal,
            station: $station:expr,
            severity: $severity:ident,
            summary: $summary:literal,
            check: $kind:ident($check:path),
        }
    ) => {
        $(#[doc = $doc])*
        pub static $name: $crate::diagnosis::Diagnosis = $crate::diagnosis::Diagnosis {
            code: $code,
            slug: $slug,
            station: $station,
            severity: $crate::model::Severity::$severity,
            summary: $summary,
            doc: concat!($($doc, "\n"),*),
            check: $crate::diagnosis::Check::$kind($check),
        };
    };
}
pub(crate) use diagnosis;

/// The hand-off diagnoses, in the order in which they may speak.
///
/// The first broken station speaks, so they stand in the order of the
/// stations; but one that has a reason (an exception, a result) comes before
/// one that only sees an absence.
pub static SPEAKING_ORDER: &[&Diagnosis] = &[
    &carry::CARRIER_ENCODING,
    &extract::WORKER_CRASHED_READING_CONTEXT,
    &inject::PROTOCOL_1,
    &inject::EMPTY_CARRIER,
    &inject::CONTEXT_LOST_ON_RETRY,
    &inject::CONTEXT_NOT_FORWARDED,
    &inject::PRODUCER_PROPAGATOR_OMITS_TRACE,
    &carry::CONTEXT_IN_BODY,
    &carry::CONTEXT_IN_PROPERTIES,
    &inject::SOME_PRODUCERS_NOT_INSTRUMENTED,
    &inject::PRODUCER_SDK_DISABLED,
    &inject::PRODUCER_NOT_INSTRUMENTED,
    &carry::MALFORMED_TRACEPARENT,
    &carry::HEADER_NAME_CASE,
    &carry::CONFLICTING_CONTEXTS,
    &carry::NESTED_CONTEXT_ONLY,
    &carry::FOREIGN_CONTEXT_ONLY,
    &inject::CONTEXT_LOST_BEFORE_PUBLISH,
    &inject::INCOMING_CONTEXT_FORWARDED,
    &extract::CARRIER_SHAPE_MISMATCH,
    &extract::PROPAGATOR_MISMATCH,
    &extract::CARRIER_KEY_MISMATCH,
    &extract::EXTRACT_RESULT_IGNORED,
    &extract::DUPLICATE_CONSUMER_SPANS,
    &delivery::DUPLICATE_EXECUTION,
    &sampling::NOT_SAMPLED,
    &delivery::TASK_NOT_REGISTERED,
    &delivery::WORKER_KILLED,
    &delivery::TASK_REVOKED,
    &delivery::TASK_EXPIRED,
    &delivery::UNROUTABLE_MESSAGE,
    &delivery::NO_CONSUMER_FOR_QUEUE,
    &delivery::NO_WORKER,
    &extract::WORKER_NOT_INSTRUMENTED,
    &sampling::SAMPLER_IGNORES_PARENT,
    &export::WORKER_SILENT,
    &tree::ORPHANED_CONSUMER,
];

/// Every other diagnosis.
pub static OTHERS: &[&Diagnosis] = &[
    &inject::STALE_CARRIER,
    &inject::REQUEST_NOT_INSTRUMENTED,
    &export::PARENT_NOT_EXPORTED,
    &export::PARENT_NOT_ENDED,
    &export::EXPORTED_TWICE,
    &export::GRPC_ON_HTTP_PORT,
    &export::HTTP_ENDPOINT_WITHOUT_PATH,
    &export::NOTHING_RECEIVED,
    &export::INVALID_SPAN,
    &export::SPANS_DROPPED,
    &identity::SERVICE_NAME_COLLISION,
    &identity::SERVICE_NAME_UNSET,
    &delivery::REDELIVERED,
    &delivery::RETRY_MARKED_ERROR,
    &delivery::TASK_FAILED,
    &privacy::BAGGAGE_AT_REST,
    &tree::SPAN_CYCLE,
    &tree::CLOCK_SKEW,
    &tree::EVIDENCE_EVICTED,
];

/// Every diagnosis, in the order of their codes.
pub fn all() -> Vec<&'static Diagnosis> {
    let mut all: Vec<_> = SPEAKING_ORDER.iter().chain(OTHERS).copied().collect();
    all.sort_by_key(|diagnosis| diagnosis.code);
    all
}

/// The diagnosis of that code or slug, in any case.
pub fn find(name: &str) -> Option<&'static Diagnosis> {
    all().into_iter().find(|diagnosis| {
        diagnosis.code.eq_ignore_ascii_case(name) || diagnosis.slug.eq_ignore_ascii_case(name)
    })
}

//! All rules, and the order in which they speak.
//!
//! A new rule is written in a file of its own, in the room of its station, and
//! gets its line here.

use super::rule::{Diagnosis, Known, Occurrence};
use super::{carry, delivery, export, extract, identity, inject, privacy, sampling, tree};
use crate::evidence::SpanRef;

/// The hand-off diagnoses, in the order in which they may speak.
///
/// The first broken station speaks, so they stand in the order of the
/// stations; but one that has a reason (an exception, a result) comes before
/// one that only sees an absence.
pub static SPEAKING_ORDER: &[&Diagnosis] = &[
    &carry::UNREADABLE_MESSAGE,
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
    &extract::BATCH_RUN_WITHOUT_LINKS,
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
    &extract::FABRICATED_PARENT,
    &extract::CONTEXT_ATTACHED_TWICE,
    &extract::CONTEXT_DETACHED_IN_RUN,
    &export::PARENT_NOT_EXPORTED,
    &export::PARENT_NOT_ENDED,
    &export::EXPORTED_TWICE,
    &export::GRPC_ON_HTTP_PORT,
    &export::HTTP_ENDPOINT_WITHOUT_PATH,
    &export::HTTP_ENDPOINT_WITH_PATH,
    &export::HTTP_ON_GRPC_PORT,
    &export::TLS_ON_PLAIN_PORT,
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
    &tree::TOO_FEW_HANDOFFS,
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

/// For a consumer root, made by hand or a batch's, that no hand-off explains. There is no
/// hand-off to ask the rules about, so three of them answer for a span too.
pub fn of_orphan(orphan: SpanRef<'_>, known: &Known<'_>) -> (&'static Diagnosis, Occurrence) {
    if orphan.span.is_batch_run() {
        return (&extract::BATCH_RUN_WITHOUT_LINKS, extract::of_batch(orphan));
    }
    match inject::of_retry(orphan, known) {
        Some(retry) => (&inject::CONTEXT_LOST_ON_RETRY, retry),
        None => (&tree::ORPHANED_CONSUMER, tree::of_span(orphan, known)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::slug::Slug;

    #[test]
    fn what_rules_name_is_there() {
        for slug in Slug::ALL {
            assert!(all().iter().any(|rule| rule.slug == slug.name()), "no rule is called {slug:?}");
        }
    }
}

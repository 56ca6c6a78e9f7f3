//! The traces of a report, with the spans that are listed for each.

use std::collections::BTreeSet;

use super::excerpt::excerpt;
use super::listing::Listing;
use crate::diagnosis::engine::judge_all::Judged;
use crate::evidence::{Evidence, StoredSpan, Trace};
use crate::model::{ParentOrigin, SpanKind, SpanReport, TraceReport};

/// The traces to list, and how many are left out.
pub(super) fn traces(evidence: &Evidence, judged: &Judged<'_>, listing: Listing) -> (Vec<TraceReport>, u64) {
    let marked = judged.traces.keys().filter_map(|id| evidence.spans.trace(*id));
    let mut listed: Vec<_> = marked.take(listing.broken_traces).collect();
    let mut healthy: Vec<_> =
        evidence.spans.traces().filter(|trace| !judged.traces.contains_key(&trace.id)).collect();
    // People look for the traces that passed through a queue.
    healthy.sort_by_cached_key(|trace| {
        let passed = trace.spans.iter().any(|span| span.kind == SpanKind::Consumer);
        (!passed, trace.extent().0, trace.id)
    });
    listed.extend(healthy.into_iter().take(listing.healthy_traces));
    let left_out = evidence.spans.trace_count().saturating_sub(listed.len() as u64);
    let reports = listed
        .into_iter()
        .map(|trace| trace_report(trace, judged.traces.get(&trace.id), listing.spans))
        .collect();
    (reports, left_out)
}

/// A trace with at most `limit` of its spans.
pub(in crate::diagnosis::engine) fn trace_report(
    trace: &Trace,
    findings: Option<&BTreeSet<String>>,
    limit: usize,
) -> TraceReport {
    let spans = excerpt(trace, limit);
    let finding = findings.and_then(BTreeSet::first);
    TraceReport {
        trace_id: trace.id,
        healthy: finding.is_none(),
        complete: spans.len() == trace.spans.len(),
        span_count: trace.spans.len() as u64,
        spans: spans.into_iter().map(|span| span_report(trace, span, finding)).collect(),
    }
}

fn span_report(trace: &Trace, span: &StoredSpan, finding: Option<&String>) -> SpanReport {
    let detail = span.attributes();
    let is_root = span.parent.is_none() && span.links().is_empty();
    let lost_parent = span.parent.is_some_and(|parent| trace.get(parent).is_none());
    let should_have_one = match span.kind {
        SpanKind::Consumer => is_root || lost_parent,
        SpanKind::Server => false,
        _ => lost_parent && span.parent_origin != ParentOrigin::Unknown,
    };
    SpanReport {
        span_id: span.id,
        parent_id: span.parent,
        service: span.service().to_owned(),
        name: span.name.to_string(),
        kind: span.kind.label(),
        start: span.start,
        duration_ms: span.end.millis_since(span.start),
        status: span.status.label(),
        task_id: span.message_id().map(str::to_owned),
        orphan: finding.filter(|_| should_have_one).cloned(),
        exception: span
            .exceptions()
            .first()
            .map(|exception| format!("{}: {}", exception.kind, exception.message)),
        retries: detail.retries,
        links: span.links().iter().map(|link| (link.trace_id, link.span_id)).collect(),
    }
}

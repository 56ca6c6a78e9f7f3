//! Requests that visibly published nothing.

use std::collections::BTreeSet;

use crate::evidence::{Evidence, Process};
use crate::model::{Map, SpanKind, Timestamp, TraceId};

/// When a request was open.
pub(in crate::diagnosis::known) type Open = (Timestamp, Timestamp);
/// When the requests of each route that published nothing and answered well were open, by
/// process and in the order of their start.
pub(in crate::diagnosis::known) fn requests_without_publish(
    evidence: &Evidence,
) -> Map<(&Process, &str), Vec<Open>> {
    let publishing = publishing_traces(evidence);
    let mut requests = Map::<(&Process, &str), Vec<Open>>::default();
    for trace in evidence.spans.traces().filter(|trace| !publishing.contains(&trace.id)) {
        for span in trace.spans.iter().filter(|span| span.kind == SpanKind::Server) {
            if span.http_status.is_none_or(|status| status < 400) {
                requests.entry((&span.process, &span.name)).or_default().push((span.start, span.end));
            }
        }
    }
    requests.values_mut().for_each(|requests| requests.sort_unstable());
    requests
}

/// Traces in which something was published: they have a PRODUCER span, or a message carries
/// a context of theirs.
pub fn publishing_traces(evidence: &Evidence) -> BTreeSet<TraceId> {
    let carried = evidence.tasks.iter().flat_map(|task| &task.messages).flat_map(|delivery| {
        let contexts = delivery.message.contexts.iter();
        contexts.filter_map(|carried| carried.context()).map(|context| context.trace_id)
    });
    let produced = evidence.tasks.iter().flat_map(|task| &task.producers).map(|producer| producer.trace_id);
    carried.chain(produced).collect()
}

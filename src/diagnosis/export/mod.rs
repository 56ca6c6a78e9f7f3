//! 5xx: the context travelled, and the spans did not leave their process.

mod ending;
mod endpoint;
mod exported_twice;
mod grpc_on_http_port;
mod http_endpoint_without_path;
mod invalid_span;
mod nothing_received;
mod parent_not_ended;
mod parent_not_exported;
mod parts;
mod spans_dropped;
mod worker_silent;

pub use exported_twice::EXPORTED_TWICE;
pub use grpc_on_http_port::GRPC_ON_HTTP_PORT;
pub use http_endpoint_without_path::HTTP_ENDPOINT_WITHOUT_PATH;
pub use invalid_span::INVALID_SPAN;
pub use nothing_received::NOTHING_RECEIVED;
pub use parent_not_ended::PARENT_NOT_ENDED;
pub use parent_not_exported::PARENT_NOT_EXPORTED;
pub use spans_dropped::SPANS_DROPPED;
pub use worker_silent::WORKER_SILENT;

use std::collections::BTreeMap;

use crate::evidence::{Process, StoredSpan, Trace};
use crate::model::{ParentOrigin, SpanId};

/// The spans of a trace whose parent is missing, though it was a span of the
/// very same process: by process, with the id of each missing parent.
fn missing_local_parents(trace: &Trace) -> BTreeMap<(&str, Option<&str>), LocalGap<'_>> {
    let mut gaps = BTreeMap::<_, LocalGap<'_>>::new();
    for span in &trace.spans {
        let Some(parent) = span.parent.filter(|_| span.parent_origin == ParentOrigin::Local) else {
            continue;
        };
        if trace.get(parent).is_some() {
            continue;
        }
        let gap = gaps
            .entry((span.service(), span.process.instance.as_deref()))
            .or_insert_with(|| LocalGap { process: &span.process, children: Vec::new() });
        gap.children.push((parent, span));
    }
    gaps
}

/// Spans of one process and one trace that miss a parent of their own process.
struct LocalGap<'t> {
    process: &'t Process,
    children: Vec<(SpanId, &'t StoredSpan)>,
}

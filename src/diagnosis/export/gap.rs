//! What is missing inside of a process: parents that it had and did not send.

use std::collections::BTreeMap;

use crate::evidence::{Process, StoredSpan, Trace};
use crate::model::{ParentOrigin, SpanId};

/// The spans of a trace whose parent is missing, though it was a span of the
/// very same process: by process, with the id of each missing parent.
pub fn missing_local_parents(trace: &Trace) -> BTreeMap<(&str, Option<&str>), LocalGap<'_>> {
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
pub struct LocalGap<'t> {
    pub process: &'t Process,
    pub children: Vec<(SpanId, &'t StoredSpan)>,
}

/// Fewer missing parents than this are single losses.
const MANY: usize = 10;

/// Whether so many parents are missing that a queue overflowed.
pub fn is_burst(children: &[(SpanId, &StoredSpan)]) -> bool {
    let mut parents: Vec<_> = children.iter().map(|(parent, _)| *parent).collect();
    parents.sort_unstable();
    parents.dedup();
    parents.len() >= MANY
}

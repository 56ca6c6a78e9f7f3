//! Publishes that began a trace of their own, by the process that published.

use crate::evidence::{Evidence, Process, SpanKey};
use crate::model::{Map, Timestamp};

/// The PRODUCER roots of one task and one process, by start.
pub(super) type Roots = Vec<(Timestamp, SpanKey)>;

/// Every PRODUCER root, by the process that published it and its task.
pub(super) fn roots_by_publisher(evidence: &Evidence) -> Map<(&Process, &str), Roots> {
    let mut roots = Map::<(&Process, &str), Roots>::default();
    let producers = evidence.tasks.iter().flat_map(|task| {
        let name = task.name(evidence);
        task.producers.iter().map(move |key| (name, *key))
    });
    for (task, key) in producers {
        let Some(root) = evidence.spans.get(key).filter(|found| evidence.is_orphaned_root(*found)) else {
            continue;
        };
        roots.entry((&root.span.process, task)).or_default().push((root.span.start, key));
    }
    roots.values_mut().for_each(|roots| roots.sort_unstable());
    roots
}

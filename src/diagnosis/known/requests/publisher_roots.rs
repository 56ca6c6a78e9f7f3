//! Publishes that began a trace of their own, by the process that published.

use crate::evidence::{Evidence, Process, SpanKey};
use crate::model::{Map, Timestamp};

/// The PRODUCER roots of one task and one process, by start.
pub(super) type Roots = Vec<(Timestamp, SpanKey)>;

/// PRODUCER roots, by the process that published them and their task.
pub(super) type ByPublisher<'e> = Map<(&'e Process, &'e str), Roots>;

/// Every PRODUCER root of a process that answers requests.
pub(super) fn roots_by_publisher(evidence: &Evidence) -> ByPublisher<'_> {
    let mut roots = ByPublisher::default();
    for task in evidence.tasks.iter() {
        let found = task.producers.iter().filter_map(|key| evidence.spans.get(*key));
        let mut name = None;
        for root in found.filter(|found| evidence.is_orphaned_root(*found)) {
            if answers_requests(evidence, &root.span.process) {
                // It is looked up in many places, and of most tasks nobody asks for it.
                let name = *name.get_or_insert_with(|| task.name(evidence));
                roots.entry((&root.span.process, name)).or_default().push((root.span.start, root.key()));
            }
        }
    }
    roots.values_mut().for_each(|roots| roots.sort_unstable());
    roots
}

/// Whether a SERVER span of this process was seen.
fn answers_requests(evidence: &Evidence, process: &Process) -> bool {
    evidence.processes.of(process).is_some_and(|activity| activity.servers > 0)
}

//! What more may come for, so that somebody who has to ask for it knows what to ask for.

use std::collections::BTreeSet;

use super::live_judge::LiveJudge;
use crate::evidence::{Moment, Unit};
use crate::model::TraceId;

impl LiveJudge {
    /// The traces of what is not whole and has not settled, and of what has a finding or
    /// awaits a run or a parent: those for which something came since `since`. At most `most`,
    /// those first for which something came last.
    pub fn awaited(&self, since: Moment, most: usize) -> BTreeSet<TraceId> {
        let evidence = &self.evidence;
        let unsettled = evidence.unsettled_since(None);
        let restless = self.open_findings.all_restless().cloned();
        let mut found: Vec<(Moment, TraceId)> = Vec::new();
        for unit in unsettled.units().chain(restless) {
            match &unit {
                Unit::Trace(id) => {
                    found.extend(evidence.spans.trace(*id).map(|trace| (trace.age.touched, *id)));
                }
                Unit::Task(id) => {
                    let Some(task) = evidence.tasks.get(id) else { continue };
                    found.extend(task.traces().map(|trace| (task.age.touched, trace)));
                }
            }
        }
        found.retain(|(touched, _)| *touched >= since);
        found.sort_unstable_by(|one, other| other.cmp(one));
        let mut traces = BTreeSet::new();
        for (_, trace) in found {
            if traces.len() >= most {
                break;
            }
            traces.insert(trace);
        }
        traces
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::live::MemoryPlan;
    use crate::model::{CeleryAction, Span, SpanId, SpanKind};
    use crate::wire::otlp::Sink;

    fn trace(number: u8) -> TraceId {
        TraceId::new([number; 16])
    }

    /// One side of the hand-off of the trace with this number.
    fn side(number: u8, kind: SpanKind) -> Span<'static> {
        let [sent, ran] = [1, 2].map(|id| SpanId::new([0, 0, 0, 0, 0, 0, number, id]));
        let (span_id, parent_id, action) = match kind {
            SpanKind::Producer => (sent, None, CeleryAction::ApplyAsync),
            _ => (ran, Some(sent), CeleryAction::Run),
        };
        Span {
            trace_id: trace(number),
            span_id,
            parent_id,
            kind,
            action: Some(action),
            message_id: Some(format!("task-{number}").into()),
            ..Span::default()
        }
    }

    #[test]
    fn what_lacks_something_is_awaited_and_what_came_last_first() {
        let mut watch = LiveJudge::new(Duration::from_secs(6), MemoryPlan::for_evidence(8 << 20));
        let at = |seconds| Moment::at(Duration::from_secs(seconds));
        for (second, number, kinds) in [
            (1, 1, &[SpanKind::Producer, SpanKind::Consumer][..]),
            (2, 2, &[SpanKind::Producer]),
            (3, 3, &[SpanKind::Consumer]),
        ] {
            watch.set_time(at(second));
            watch.take_request(|taking| kinds.iter().for_each(|kind| taking.span(&side(number, *kind))));
        }
        assert_eq!(watch.awaited(at(0), 10), BTreeSet::from([trace(2), trace(3)]), "the first is whole");
        assert_eq!(watch.awaited(at(0), 1), BTreeSet::from([trace(3)]));
        assert_eq!(watch.awaited(at(3), 10), BTreeSet::from([trace(3)]));
        // What has settled is awaited still.
        let pace = crate::diagnosis::Pace { shown: 0, again: 0, work: 1_000, thorough: false };
        watch.round(at(60), pace);
        assert!(watch.awaited(at(0), 10).contains(&trace(2)));
    }
}

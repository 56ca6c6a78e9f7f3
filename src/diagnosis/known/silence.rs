//! Which processes will send nothing more. No process says so: it shows in how long nothing
//! has come, and by which clock.

use std::sync::Arc;
use std::time::Duration;

use crate::evidence::{Evidence, Process, Trace};
use crate::model::Timestamp;

/// A process that has sent nothing for this long will not end another span. It is longer
/// than any batch delay and than most tasks.
pub const SILENCE: Duration = Duration::from_mins(5);

/// If two clocks place one trace this far apart, they may differ, and the time on one says
/// nothing about the other.
const APART: Duration = Duration::from_mins(1);

/// How many processes of a trace are asked for the time.
const WITNESSES: usize = 16;

/// What shows that a process has stopped sending.
#[derive(Clone, Copy, Debug)]
pub struct Silence<'e>(&'e Evidence);

impl<'e> Silence<'e> {
    pub(super) const fn of(evidence: &'e Evidence) -> Self {
        Self(evidence)
    }

    /// Whether a process that takes part in this trace was silent for long, until the end
    /// of the evidence.
    ///
    /// While evidence comes in, the receiver's own clock shows it. Saved evidence has only
    /// the senders' clocks, and any of them may be wrong. So another process serves as a
    /// witness if it places this trace at about the same time and goes on for long after
    /// the last sign of this process.
    pub fn has_begun(self, process: &Process, trace: &Trace) -> bool {
        let evidence = self.0;
        // A sample has some of its spans.
        if evidence.is_sample() {
            return false;
        }
        let Some(activity) = evidence.processes.of(process) else { return false };
        if let Some(silent_for) = evidence.since(activity.heard) {
            return silent_for > SILENCE;
        }
        // Evidence from a watch shows no silence that is longer than the watch.
        let watched_for = evidence.receiver().listened.filter(|_| !evidence.settling_time().is_zero());
        if watched_for.is_some_and(|watched_for| watched_for <= SILENCE) {
            return false;
        }
        let part = trace.spans.iter().filter(|span| *span.process == *process).map(|span| span.start).min();
        let Some(part) = part else { return false };
        let is_witness = |near: Timestamp, last: Timestamp| {
            near.since(part).max(part.since(near)) <= APART && last.since(activity.last_end) > SILENCE
        };
        let looks = || {
            evidence.brokers.iter().any(|broker| {
                let Some(last) = broker.last() else { return false };
                broker.looks().iter().any(|look| is_witness(look.at, last.at))
            })
        };
        others_in(evidence, process, trace).into_iter().any(|(near, last)| is_witness(near, last)) || looks()
    }

    /// Whether nothing more can come, so that what has not ended never will. That is true
    /// of files, which were complete when they were saved, and of a store as far as it has
    /// gone on since. When a watch ended (also one
    /// that left a bundle with its receiver's log), a span may still have been open.
    pub const fn is_final(self) -> bool {
        self.0.settling_time().is_zero() && !self.0.receiver().is_kept && !self.0.goes_on()
    }
}

/// For the other processes in a trace: the start of their part in it, and the start of
/// their last span anywhere. Ends do not count: an end that was set by hand may lie in any
/// year.
fn others_in(evidence: &Evidence, process: &Process, trace: &Trace) -> Vec<(Timestamp, Timestamp)> {
    let mut others: Vec<(&Arc<Process>, Timestamp)> = Vec::new();
    for span in &trace.spans {
        if *span.process == *process {
            continue;
        }
        match others.iter().position(|(other, _)| *other == &span.process) {
            Some(place) => others[place].1 = others[place].1.min(span.start),
            None if others.len() < WITNESSES => others.push((&span.process, span.start)),
            None => {}
        }
    }
    let last = |process: &Process| evidence.processes.of(process).map(|activity| activity.last_start);
    others.into_iter().filter_map(|(other, near)| Some((near, last(other)?))).collect()
}

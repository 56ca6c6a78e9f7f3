//! The end of a watch. It may come at any time, so what is absent then may have been on its
//! way.

use std::collections::BTreeSet;

use super::live_judge::LiveJudge;
use super::opinion::opinion;
use crate::diagnosis::engine::figures::Figures;
use crate::diagnosis::engine::findings::Findings;
use crate::diagnosis::engine::judge::Judge;
use crate::diagnosis::engine::report::Listing;
use crate::diagnosis::engine::unproven::UnprovenReason;
use crate::diagnosis::known::Known;
use crate::evidence::{Group, Moment, Unit, Unsettled};
use crate::model::Report;

impl LiveJudge {
    /// Ends the watch at this moment, right before the report. What has not settled is not
    /// judged any more, unless the result is what was said of it before.
    pub fn end(&mut self, ended: Moment) {
        self.ended = Some(ended);
        let mut unsettled = self.evidence.unsettled_since(self.settled_by(ended));
        for unit in self.still_said(&unsettled) {
            unsettled.remove(&unit);
            self.evidence.settle(unit);
        }
        unsettled.units().for_each(|unit| self.open_findings.say(unit, BTreeSet::new(), false));
        self.evidence.replace_unsettled(unsettled);
    }

    /// The report as of `now`, while the watch goes on: as if it ended at this moment, so
    /// that what has not settled is not judged. What is expected by the end is not asked
    /// for.
    pub fn report_so_far(&mut self, now: Moment, listing: Listing) -> Report {
        self.set_time(now);
        let mut unsettled = self.evidence.unsettled_since(self.settled_by(now));
        self.still_said(&unsettled).iter().for_each(|unit| unsettled.remove(unit));
        let before = self.evidence.replace_unsettled(unsettled);
        let expected = self.expected.take();
        let mut report = self.report(listing);
        self.expected = expected;
        self.evidence.replace_unsettled(before);
        report.live = true;
        let unsettled = UnprovenReason::NotSettled.reason();
        for gap in report.verdict.unproven.iter_mut().filter(|gap| gap.reason == unsettled) {
            (gap.what, gap.needs, gap.command) = ("still on the way", "to wait: the session goes on", None);
        }
        report
    }

    /// The units of which exactly that may be said which is said already.
    fn still_said(&self, units: &Unsettled) -> Vec<Unit> {
        let evidence = &self.evidence;
        let known = Known::of(evidence, evidence.clock());
        let mut judging = Judge::new(&known, Findings::default(), Figures::default());
        let spoken_of = units.units().filter(|unit| self.open_findings.speaks_of(unit));
        let still = spoken_of.filter(|unit| {
            let (said, _) = opinion(&Group::alone(unit.clone()), &mut judging, evidence);
            said.iter().all(|(unit, ids, _)| self.open_findings.says(unit, ids))
        });
        still.collect()
    }

    /// How many hand-offs have neither settled nor become whole by `now`.
    pub fn unsettled_handoffs(&self, now: Moment) -> usize {
        let evidence = &self.evidence;
        let known = Known::live(evidence, evidence.clock());
        let unsettled = evidence.unsettled_since(self.settled_by(now));
        let handoffs = unsettled.tasks().filter_map(|id| evidence.tasks.get(id));
        let handoffs = handoffs.flat_map(|task| task.handoffs(evidence));
        handoffs.filter(|handoff| UnprovenReason::of(handoff, &known).is_some()).count()
    }
}

//! Eviction: whole groups are let go, the oldest settled ones first.

use super::live_judge::LiveJudge;
use crate::diagnosis::engine::conclusions::Conclusions;
use crate::diagnosis::engine::judge::Judge;
use crate::diagnosis::known::Known;
use crate::evidence::{Bounds, Evidence, Group};
use crate::model::Set;

/// A group that is to go.
struct Leaving {
    group: Group,
    /// Whether everything that belongs to it has come, as far as can be told.
    has_settled: bool,
}

impl LiveJudge {
    /// About how many bytes are held, without the allocator's overhead.
    pub fn bytes(&self) -> usize {
        self.evidence.bytes() + self.open_findings.bytes() + self.past.bytes()
    }

    /// Lets go of the oldest groups if more is held than allowed.
    ///
    /// Little goes at a time, since the lock is held meanwhile: a sixty-fourth of 104 MB
    /// takes 3 to 5 ms. What costs as much as is held (sweeping, and judging by all that is
    /// known) is still done once for a twelfth.
    pub fn make_room(&mut self) {
        let Bounds { all, freed_at_once, .. } = self.bounds;
        let mut held = self.bytes();
        while held > all {
            if self.unswept > freed_at_once {
                self.evidence.sweep_names();
                self.evidence.sweep();
                self.unswept = 0;
                held = self.bytes();
                continue;
            }
            // The weight of a group is an upper bound of what its going frees. So only the
            // excess is let go, and then the rest is weighed again.
            let more = if self.looked_at_all { freed_at_once } else { all / Self::STEPS };
            let leaving = self.leaving(held - all + more);
            if leaving.is_empty() {
                break;
            }
            self.conclude(&leaving);
            for Leaving { group, .. } in &leaving {
                group.units().for_each(|unit| self.open_findings.let_go(&unit));
                self.evidence.let_go(group);
            }
            let left = self.bytes();
            self.unswept += held.saturating_sub(left);
            held = left;
        }
        let room = all.saturating_sub(held).max(all / Self::STEPS);
        self.look_at = self.evidence.growing() + room;
    }

    /// This fraction of the whole is let go at a time. If nothing can go, it tries again
    /// after so much has come.
    const STEPS: usize = 64;

    /// Makes room if too much may be held. It is cheap enough to be called after each span.
    #[inline]
    pub fn keep_room(&mut self) {
        if self.evidence.growing() > self.look_at {
            self.make_room();
        }
    }

    /// Takes groups that weigh this many bytes together.
    fn leaving(&mut self, bytes: usize) -> Vec<Leaving> {
        let mut leaving: Vec<Leaving> = Vec::new();
        let mut chosen = Set::default();
        let (mut freed, mut moving) = (0, Vec::new());
        while freed < bytes {
            let Some((unit, was_settled)) = self.evidence.next_to_go() else { break };
            if chosen.contains(&unit) {
                continue;
            }
            let mut group = self.evidence.group_of(&unit);
            let has_settled = self.evidence.has_settled(&group);
            if was_settled && !has_settled {
                // Its other side changes again.
                moving.push(unit);
                continue;
            }
            group.claim(&mut chosen);
            freed += self.evidence.weight(&group);
            leaving.push(Leaving { group, has_settled });
        }
        moving.into_iter().for_each(|unit| self.evidence.stay(unit));
        leaving
    }

    /// Keeps the findings of what goes. What has not settled gets none; for what is clean
    /// only the figures are taken.
    fn conclude(&mut self, leaving: &[Leaving]) {
        let Self { evidence, past, open_findings, looked_at_all, .. } = self;
        let Conclusions { findings, figures, handoffs } = std::mem::take(past);
        let known = Known::of(evidence, evidence.clock());
        let mut judging = Judge::new(&known, findings, figures);
        let mut went = handoffs;
        for Leaving { group, has_settled } in leaving {
            let is_said = group.units().any(|unit| open_findings.speaks_of(&unit));
            went += if *has_settled && is_said {
                judge(group, &mut judging, evidence)
            } else {
                pass(group, &mut judging, evidence, *has_settled)
            };
        }
        *looked_at_all = known.has_looked_at_all();
        *past = Conclusions { findings: judging.findings, figures: judging.figures, handoffs: went };
    }
}

fn judge<'e>(group: &Group, judging: &mut Judge<'_, 'e>, evidence: &'e Evidence) -> u64 {
    let mut handoffs = 0;
    for trace in group.traces.iter().filter_map(|id| evidence.spans.trace(*id)) {
        judging.trace(trace);
    }
    for task in group.tasks.iter().filter_map(|id| evidence.tasks.get(id)) {
        judging.task(task, &mut |_| handoffs += 1);
    }
    handoffs
}

/// Counts what goes without findings.
fn pass<'e>(group: &Group, judging: &mut Judge<'_, 'e>, evidence: &'e Evidence, has_settled: bool) -> u64 {
    let traces = group.traces.iter().filter_map(|id| evidence.spans.trace(*id));
    traces.for_each(|trace| judging.count_trace(trace));
    let tasks = group.tasks.iter().filter_map(|id| evidence.tasks.get(id));
    tasks.map(|task| judging.pass(task, has_settled)).sum()
}

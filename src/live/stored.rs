//! Evidence from files that may be larger than memory. It is judged while it is read, and
//! where there is no room, whole groups are let go.
//!
//! Files have no clock, so nothing settles while they are read: the other half of a
//! hand-off may be at the end of the last file. Groups that are whole go first. Then go
//! those that began first, and the report says that they were not judged.

use std::time::Duration;

use crate::bundle::{BytesRead, Store};
use crate::diagnosis::{Listing, LiveJudge, Pace};
use crate::evidence::{Evidence, Moment};
use crate::live::memory::FilePlan;
use crate::model::Report;

/// Is told how much was read so far, and how many spans came.
pub type OnProgress<'p> = Box<dyn FnMut(BytesRead, u64) + 'p>;

/// The evidence that is read from files, within bounds.
pub struct StoredSession<'p> {
    judge: LiveJudge,
    /// The number of spans between two searches for whole groups.
    round: u64,
    /// The number of spans at which the next search is due.
    next_round: u64,
    rounds: u64,
    on_progress: OnProgress<'p>,
}

impl<'p> StoredSession<'p> {
    /// The most spans between two searches. A search costs as much as they do, however
    /// much is held.
    const ROUND: u64 = 16_384;
    /// About how many bytes a span takes with its indices. A search is done each time
    /// that an eighth of the room is filled, so that groups that are not whole need not
    /// go.
    const SPAN: usize = 512;

    pub fn new(plan: &FilePlan, on_progress: OnProgress<'p>) -> Self {
        let round = (plan.evidence.all / 8 / Self::SPAN) as u64;
        let round = round.clamp(64, Self::ROUND);
        Self { judge: LiveJudge::of_files(plan.evidence), round, next_round: round, rounds: 0, on_progress }
    }

    /// Expects this many whole hand-offs: fewer are a finding of the report.
    pub fn expect_handoffs(&mut self, number: Option<u64>) {
        self.judge.expect_handoffs(number);
    }

    /// What was read, without a listener.
    pub fn into_judge(self) -> LiveJudge {
        self.judge
    }

    /// The report on everything that was read.
    pub fn report(&self, listing: Listing) -> Report {
        self.judge.report(listing)
    }
}

impl Store for StoredSession<'_> {
    fn evidence(&mut self) -> &mut Evidence {
        &mut self.judge.evidence
    }

    fn keep_room(&mut self) {
        self.judge.keep_room();
    }

    fn between_requests(&mut self) {
        let spans = self.judge.evidence.span_account().received;
        if spans >= self.next_round {
            self.next_round = spans + self.round;
            let pace = Pace { shown: 0, again: 0, work: usize::MAX, thorough: false };
            self.rounds += 1;
            // Whatever changes after this has a later moment, so it is judged again.
            self.judge.round(Moment::at(Duration::from_millis(self.rounds)), pace);
        }
        self.judge.keep_room();
    }

    fn has_read(&mut self, read: BytesRead) {
        (self.on_progress)(read, self.judge.evidence.span_account().received);
    }
}

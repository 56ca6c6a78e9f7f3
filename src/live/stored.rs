//! Evidence from files that may be larger than memory: it is judged while it is read, and
//! what is whole is let go where there is no room.
//!
//! Files have no clock, so nothing settles while they are read: the other half of a
//! hand-off may lie at the end of the last one. What is whole goes first, then what began
//! first, of which the report says that it was not judged.

use std::time::Duration;

use crate::bundle::Store;
use crate::diagnosis::{Listing, LiveJudge, Pace};
use crate::evidence::{Evidence, Moment};
use crate::live::memory::FilePlan;
use crate::model::Report;

/// Hears how many bytes were read so far, and how many spans came.
pub type OnProgress<'p> = Box<dyn FnMut(u64, u64) + 'p>;

/// What is read from files, held to a bound.
pub struct StoredSession<'p> {
    judge: LiveJudge,
    /// After how many spans what became whole is looked for.
    round: u64,
    /// At how many it is next.
    next_round: u64,
    rounds: u64,
    on_progress: OnProgress<'p>,
}

impl<'p> StoredSession<'p> {
    /// After so many spans at most what became whole is looked for, which costs as much
    /// as they do, whatever is held.
    const ROUND: u64 = 16_384;
    /// About how many bytes a span takes with its indices. What became whole is looked
    /// for each time that an eighth of the room is filled, so that nothing else has to go.
    const SPAN: usize = 512;

    pub fn new(plan: &FilePlan, on_progress: OnProgress<'p>) -> Self {
        let round = (plan.evidence.all / 8 / Self::SPAN) as u64;
        let round = round.clamp(64, Self::ROUND);
        Self { judge: LiveJudge::of_files(plan.evidence), round, next_round: round, rounds: 0, on_progress }
    }

    /// Expects so many whole hand-offs: fewer are a finding of the report.
    pub fn expect_handoffs(&mut self, number: Option<u64>) {
        self.judge.expect_handoffs(number);
    }

    /// The report on all that was read.
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
            // What comes after it is told from what came before, and is looked at again.
            self.judge.round(Moment::at(Duration::from_millis(self.rounds)), pace);
        }
        self.judge.keep_room();
    }

    fn has_read(&mut self, bytes: u64) {
        (self.on_progress)(bytes, self.judge.evidence.span_account().received);
    }
}

//! How publishes relate to the requests of their process if no trace joins the two: a
//! publish that belongs into its request's trace began a trace of its own. Only the times
//! are left to compare.

mod coincidence;
mod just_outside;
mod one_per_request;
mod publisher_roots;
mod redis_pushes;
mod response_start;
mod without_publish;

use std::cell::OnceCell;

use self::publisher_roots::{ByPublisher, roots_by_publisher};
use self::response_start::ResponseStarts;
use crate::evidence::{Evidence, Process, SpanKey, SpanRef};
use crate::model::{Map, Set, Timestamp};

pub use just_outside::{JustOutside, Position};
pub use without_publish::publishing_traces;
pub(super) use without_publish::requests_without_publish;

/// The requests of the evidence, and what was published beside them.
#[derive(Debug)]
pub struct Requests<'e> {
    evidence: &'e Evidence,
    roots: OnceCell<ByPublisher<'e>>,
    one_each: OnceCell<Set<SpanKey>>,
    by_chance: OnceCell<Set<(&'e str, &'e Process)>>,
    just_outside: OnceCell<Map<SpanKey, JustOutside<'e>>>,
    response_starts: OnceCell<ResponseStarts<'e>>,
    redis_pushes: OnceCell<Vec<SpanRef<'e>>>,
}

impl<'e> Requests<'e> {
    pub(super) fn of(evidence: &'e Evidence) -> Self {
        Self {
            evidence,
            roots: OnceCell::new(),
            one_each: OnceCell::new(),
            by_chance: OnceCell::new(),
            just_outside: OnceCell::new(),
            response_starts: OnceCell::new(),
            redis_pushes: OnceCell::new(),
        }
    }

    /// Whether a question was asked that took a pass over all that is held.
    pub(super) fn have_looked_at_all(&self) -> bool {
        self.roots.get().is_some()
            || self.response_starts.get().is_some()
            || self.redis_pushes.get().is_some()
    }

    fn roots(&self) -> &ByPublisher<'e> {
        self.roots.get_or_init(|| roots_by_publisher(self.evidence))
    }

    /// Whether a PRODUCER root pairs up with a request that published nothing, as all other
    /// roots of its task do. Of a sample, all are not known.
    pub fn have_one_for(&self, root: SpanKey) -> bool {
        !self.evidence.is_sample()
            && self
                .one_each
                .get_or_init(|| one_per_request::paired(self.evidence, self.roots()))
                .contains(&root)
    }

    /// Whether this process publishes roots of this task outside of requests too, and no
    /// more inside of them than chance would put there. Of a sample it cannot be known, and
    /// chance is not ruled out.
    pub fn coincide_with(&self, task: &str, process: &Process) -> bool {
        if self.evidence.is_sample() {
            return true;
        }
        self.by_chance
            .get_or_init(|| coincidence::by_chance(self.evidence, self.roots()))
            .contains(&(task, process))
    }

    /// Just outside of which requests a PRODUCER root lies, if all other roots of its task
    /// do too.
    pub fn just_beside(&self, root: SpanKey) -> Option<JustOutside<'e>> {
        if self.evidence.is_sample() {
            return None;
        }
        self.just_outside
            .get_or_init(|| just_outside::just_outside(self.evidence, self.roots()))
            .get(&root)
            .copied()
    }

    /// Whether a request was open at `time`, and each one that was had begun to answer.
    pub fn had_begun_to_answer(&self, process: &Process, time: Timestamp) -> bool {
        self.response_starts.get_or_init(|| ResponseStarts::of(self.evidence)).had_begun(process, time)
    }

    /// The push onto a Redis list that may have published what a worker took at `taken`: a
    /// request made it, with no PRODUCER span in between.
    pub fn bare_push_before(&self, taken: Timestamp) -> Option<SpanRef<'e>> {
        let pushes = self.redis_pushes.get_or_init(|| redis_pushes::bare_pushes(self.evidence));
        redis_pushes::before(pushes, taken)
    }
}

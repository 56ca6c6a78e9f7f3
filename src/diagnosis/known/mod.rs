//! What is known besides one hand-off: the evidence, and the populations that diagnoses
//! compare a hand-off with.
//!
//! Each group is a file with a type of its own. A group that needs a pass over the evidence
//! is made once in a round of judging, when it is first asked for, so that a round of a few
//! hand-offs costs little.

mod even_intervals;
mod flow;
mod origins;
mod orphans;
mod readers;
mod requests;
mod roots_in_runs;
mod schedules;
mod sdk_setup;
mod services;
mod silence;
mod traces;
mod unclaimed_consumers;
mod writers;

use std::cell::OnceCell;

use self::flow::Flow;
use self::orphans::Orphans;
use self::readers::Readers;
use self::requests::Requests;
use self::schedules::Schedules;
use self::services::Services;
use self::silence::Silence;
use self::traces::Traces;
use self::unclaimed_consumers::UnclaimedConsumers;
use self::writers::Writers;
use crate::evidence::{Broker, Evidence, Handoff, Task};
use crate::model::{TaskStatus, Timestamp};

pub use even_intervals::is_even;
pub use origins::{MessageCounts, Origins, is_publisher};
pub use requests::{JustOutside, Position, publishing_traces};
pub use roots_in_runs::{InRuns, RootsInRuns};
pub use sdk_setup::{Reader, SdkSetup, Sides};
pub use silence::SILENCE;
pub use traces::{FabricatedParent, MissingParent, ParentProcess};

/// What diagnoses are given to look at.
#[derive(Debug)]
pub struct Known<'e> {
    pub evidence: &'e Evidence,
    /// The clock of the evidence: never the time of day.
    pub now: Timestamp,
    /// Whether evidence still comes in: what is absent may be on its way.
    pub is_live: bool,
    /// Whether spans are left out of the account.
    is_of_broker: bool,
    services: Services<'e>,
    traces: Traces<'e>,
    requests: Requests<'e>,
    flow: OnceCell<Flow<'e>>,
    origins: OnceCell<Origins<'e>>,
    orphans: OnceCell<Orphans<'e>>,
    readers: OnceCell<Readers<'e>>,
    roots_in_runs: OnceCell<InRuns<'e>>,
    schedules: OnceCell<Schedules<'e>>,
    unclaimed_consumers: OnceCell<UnclaimedConsumers<'e>>,
    writers: OnceCell<Writers<'e>>,
}

impl<'e> Known<'e> {
    pub fn of(evidence: &'e Evidence, now: Timestamp) -> Self {
        Self::new(evidence, now, Services::of(evidence), false)
    }

    /// The same, while evidence still comes in.
    pub fn live(evidence: &'e Evidence, now: Timestamp) -> Self {
        Self::new(evidence, now, Services::of(evidence), true)
    }

    /// The same, reduced to what a broker holds.
    pub fn of_broker(evidence: &'e Evidence, now: Timestamp) -> Self {
        Self { is_of_broker: true, ..Self::new(evidence, now, Services::default(), false) }
    }

    fn new(evidence: &'e Evidence, now: Timestamp, services: Services<'e>, is_live: bool) -> Self {
        Self {
            evidence,
            now,
            is_live,
            is_of_broker: false,
            services,
            traces: Traces::of(evidence, is_live),
            requests: Requests::of(evidence),
            flow: OnceCell::new(),
            origins: OnceCell::new(),
            orphans: OnceCell::new(),
            readers: OnceCell::new(),
            roots_in_runs: OnceCell::new(),
            schedules: OnceCell::new(),
            unclaimed_consumers: OnceCell::new(),
            writers: OnceCell::new(),
        }
    }

    /// Whether a group was asked for that took a pass over all that is held.
    pub fn has_looked_at_all(&self) -> bool {
        self.flow.get().is_some()
            || self.origins.get().is_some()
            || self.orphans.get().is_some()
            || self.readers.get().is_some()
            || self.roots_in_runs.get().is_some()
            || self.schedules.get().is_some()
            || self.unclaimed_consumers.get().is_some()
            || self.writers.get().is_some()
            || self.requests.have_looked_at_all()
    }

    /// What each service does, and how it is set up.
    pub const fn services(&self) -> &Services<'e> {
        &self.services
    }

    /// What is looked for in one trace.
    pub const fn traces(&self) -> &Traces<'e> {
        &self.traces
    }

    /// How publishes relate in time to the requests of their process.
    pub const fn requests(&self) -> &Requests<'e> {
        &self.requests
    }

    /// What moved through the brokers.
    pub fn flow(&self) -> &Flow<'e> {
        self.flow.get_or_init(|| Flow::of(self.evidence, self.is_live))
    }

    /// What each publishing process puts into its messages.
    pub fn origins(&self) -> &Origins<'e> {
        self.origins.get_or_init(|| Origins::of(self.evidence))
    }

    /// Hand-made consumer spans that began a trace of their own.
    pub fn orphans(&self) -> &Orphans<'e> {
        self.orphans.get_or_init(|| Orphans::of(self.evidence))
    }

    /// Which formats each service was seen to read.
    pub fn readers(&self) -> &Readers<'e> {
        self.readers.get_or_init(|| Readers::of(self.evidence))
    }

    /// Which formats of context each service was seen to write.
    pub fn writers(&self) -> &Writers<'e> {
        self.writers.get_or_init(|| Writers::of(self.evidence))
    }

    /// Roots that lie within runs of their process, if there are any.
    pub fn roots_in_runs(&self) -> &InRuns<'e> {
        self.roots_in_runs.get_or_init(|| roots_in_runs::roots_in_runs(self.evidence))
    }

    /// What a scheduler seems to publish. What a broker holds does not show it.
    pub fn schedules(&self) -> &Schedules<'e> {
        let schedules =
            || if self.is_of_broker { Schedules::default() } else { Schedules::of(self.evidence) };
        self.schedules.get_or_init(schedules)
    }

    /// Consumer spans that name no message and are not below one that a message names.
    pub fn unclaimed_consumers(&self) -> &UnclaimedConsumers<'e> {
        self.unclaimed_consumers.get_or_init(|| UnclaimedConsumers::of(self.evidence))
    }

    /// What shows that a process has stopped sending.
    pub const fn silence(&self) -> Silence<'e> {
        Silence::of(self.evidence)
    }

    /// The ids of the tasks that a worker ran, by their results.
    pub fn ran(&self) -> impl Iterator<Item = &'e str> + use<'e> {
        let was_run = |task: &&Task| {
            task.result.as_ref().is_some_and(|result| {
                matches!(result.status, TaskStatus::Success | TaskStatus::Failure | TaskStatus::Retry)
            })
        };
        self.evidence.tasks.iter().filter(was_run).map(|task| &*task.id)
    }

    /// Whether any span was received at all.
    pub fn has_spans(&self) -> bool {
        !self.is_of_broker && self.evidence.spans.span_count() > 0
    }

    /// The broker in which the message of a hand-off lies.
    pub fn broker_of(&self, handoff: &Handoff<'_>) -> Option<&'e Broker> {
        self.evidence.brokers.get(&handoff.delivery?.broker)
    }
}

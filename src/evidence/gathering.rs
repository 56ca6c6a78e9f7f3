//! How the evidence is gathered: by which receiver, by which clock, until when, and what the
//! user wants to see of it. A session that gathers evidence says so here, and so does the
//! reader of a saved one.

use std::time::Duration;

use super::age::Moment;
use super::receiver::{Endpoints, Outcome, ReceiverLog};
use super::unit::Unit;
use super::{Evidence, Task, Unsettled};
use crate::model::{Timestamp, TraceId};

impl Evidence {
    /// Keeps the messages of exceptions and statuses in full.
    pub const fn show_messages(&mut self, are_shown: bool) {
        self.shows_messages = are_shown;
    }

    /// Notes the command that reads the same files with more memory.
    pub fn name_command_with_more_memory(&mut self, command: String) {
        self.with_more_memory = Some(command);
    }

    /// The command that reads the same files with more memory, for evidence from files.
    pub fn command_with_more_memory(&self) -> Option<&str> {
        self.with_more_memory.as_deref()
    }

    /// Whether the messages of exceptions and statuses are kept in full.
    pub const fn shows_messages(&self) -> bool {
        self.shows_messages
    }

    /// Sets how long a message must be seen to wait, or to be gone, before anything is
    /// concluded from it.
    pub const fn settle_after(&mut self, time: Duration) {
        self.settling_time = time;
    }

    /// How long a message must be seen to wait, or to be gone, before anything is concluded
    /// from it. Zero for files that no watch left: whoever saved them has waited.
    pub const fn settling_time(&self) -> Duration {
        self.settling_time
    }

    /// Treats moments as an order and no more: the evidence comes from files.
    pub const fn ignore_clock(&mut self) {
        self.ages.has_clock = false;
    }

    /// Sets the time of whatever comes next. It never runs backwards.
    pub fn set_time(&mut self, now: Moment) {
        self.ages.now = now.max(self.ages.now);
    }

    /// The time of whatever comes next.
    pub const fn now(&self) -> Moment {
        self.ages.now
    }

    /// How long ago a moment was; `None` for evidence from files, which has no moments.
    pub fn since(&self, moment: Moment) -> Option<Duration> {
        self.ages.since(moment)
    }

    /// Takes the unit whose change was noted first, of those that changed since they were
    /// last taken.
    pub fn pop_fresh(&mut self) -> Option<Unit> {
        self.ages.pop_fresh()
    }

    /// How many units stand in the line of what has not settled.
    pub fn open_units(&self) -> usize {
        self.ages.open().count()
    }

    /// How many marks of what was let go were forgotten.
    pub const fn forgotten_marks(&self) -> u64 {
        self.ages.forgotten_marks()
    }

    /// Whether a trace was let go, as far as marks are kept.
    pub fn has_let_go_trace(&self, id: TraceId) -> bool {
        self.ages.has_let_go(&Unit::Trace(id))
    }

    /// How the requests to the receiver ended, and how long it listened.
    pub const fn receiver(&self) -> &ReceiverLog {
        &self.receiver
    }

    /// Notes where the receiver listens, or did.
    pub fn note_endpoints(&mut self, endpoints: Endpoints) {
        self.receiver.endpoints = Some(endpoints);
    }

    /// Notes how long the receiver has been up.
    pub const fn note_listening_time(&mut self, time: Duration) {
        self.receiver.listened = Some(time);
    }

    /// Notes that a receiver was up, though nobody knows for how long.
    pub const fn note_receiver_log(&mut self) {
        self.receiver.is_kept = true;
    }

    /// Notes how a request to the receiver ended, with its `user-agent` and its request
    /// line.
    pub fn note_request(&mut self, outcome: Outcome, agent: &str, target: &str) {
        self.receiver.record(outcome, agent, target);
    }

    /// Notes that it is a sample of what a store has: whole traces with all that belongs to
    /// their hand-offs, and not all traces. Then nothing is concluded from how many there
    /// are, nor from what none of them has.
    pub const fn note_sample(&mut self) {
        self.is_sample = true;
    }

    /// Whether it is a sample of what a store has.
    pub const fn is_sample(&self) -> bool {
        self.is_sample
    }

    /// Notes that its source goes on, so that what has not ended may still do so. Files are
    /// over.
    pub const fn note_going_on(&mut self) {
        self.goes_on = true;
    }

    /// Whether its source goes on.
    pub const fn goes_on(&self) -> bool {
        self.goes_on
    }

    /// Notes the time that a store was asked for. Of a task that lies outside of it nothing is
    /// concluded: nobody looked for its other side.
    pub const fn note_asked(&mut self, from: Timestamp, to: Timestamp) {
        self.asked = Some((from, to));
    }

    /// Whether it was fetched from a store.
    pub const fn was_asked_for(&self) -> bool {
        self.asked.is_some()
    }

    /// Whether a task lies outside of the time that a store was asked for: its spans began
    /// before or after.
    pub fn lies_outside(&self, task: &Task) -> bool {
        let Some((from, to)) = self.asked else { return false };
        let sides = task.producers.iter().chain(&task.consumers);
        let mut starts =
            sides.filter_map(|key| self.spans.get(*key)).map(|found| found.span.start).peekable();
        // What lay in a broker was seen by itself.
        task.messages.is_empty() && starts.peek().is_some() && starts.all(|start| start < from || start >= to)
    }

    /// Whether nothing may be concluded from what a task lacks: it had not settled when the
    /// watch ended, or it lies outside of what a store was asked for.
    pub fn doubts(&self, task: &Task) -> bool {
        self.unsettled.has_task(&task.id) || self.lies_outside(task)
    }

    /// What had not settled when the watch ended.
    pub const fn unsettled(&self) -> &Unsettled {
        &self.unsettled
    }

    /// Notes that a trace or task had not settled when the watch ended.
    pub fn note_unsettled(&mut self, unit: Unit) {
        self.unsettled.insert(unit);
    }

    /// Says what has not settled now that the watch ends. Returns what was said before.
    pub const fn replace_unsettled(&mut self, unsettled: Unsettled) -> Unsettled {
        std::mem::replace(&mut self.unsettled, unsettled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_never_runs_backwards() {
        let at = |seconds| Moment::at(Duration::from_secs(seconds));
        let mut evidence = Evidence::default();
        for (now, expected) in [(5, 5), (3, 5), (7, 7)] {
            evidence.set_time(at(now));
            assert_eq!(evidence.now(), at(expected));
        }
    }
}

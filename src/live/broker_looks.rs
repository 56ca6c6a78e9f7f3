//! Takes what a live broker shows into the evidence: each look at it, and what `MONITOR`
//! repeats between two looks. It connects to nothing.

use std::collections::BTreeSet;

use crate::bundle::EvidenceOptions;
use crate::evidence::{BrokerIntake, Evidence, Keep, Presence};
use crate::model::Timestamp;
use crate::model::memory_size::{allocation, in_tree};
use crate::wire::broker::Completeness;
use crate::wire::celery::redis_layout::{Foreign, RedisReader};
use crate::wire::snapshot::KeyLine;

/// Takes the looks at one broker into the evidence, one after the other.
///
/// Two looks that see the same use no more memory: each message is known by its task, and
/// counted once.
#[derive(Debug)]
pub struct BrokerLooks {
    name: String,
    keep: Keep,
    /// What its names mean, and what the last look found, which is not read again.
    reader: RedisReader,
    /// The tasks whose messages were there when last seen, and that no look has shown to be
    /// gone.
    here: BTreeSet<Box<str>>,
    here_bytes: usize,
    here_bound: usize,
    /// Entries that are not Celery messages: the maximum over all looks.
    foreign: u64,
}

/// The result of a look.
#[derive(Default, Debug)]
pub struct LookChange {
    /// The tasks with a message that left the broker since the last look.
    pub gone: Vec<Box<str>>,
    /// What was passed over, by the key that holds it.
    pub passed_over: Foreign,
}

impl BrokerLooks {
    /// How many messages are watched until they are gone.
    const HERE: usize = 100_000;

    /// For the broker with this name (`host:port/db`). At most `remembered` bytes of the
    /// last look are kept.
    pub fn new(name: impl Into<String>, reading: EvidenceOptions, remembered: usize) -> Self {
        let EvidenceOptions { keep, options, naming, .. } = reading;
        Self {
            name: name.into(),
            keep,
            reader: RedisReader::new(naming, options).remembering(remembered / 2),
            here: BTreeSet::new(),
            here_bytes: 0,
            here_bound: remembered / 2,
            foreign: 0,
        }
    }

    /// Takes a look: every key that was read at `at`, and the moment since which every
    /// existing key has been visited (`None`: not all were looked for). A task whose
    /// message has gone counts as changed, so that it gets the time to run. `left_out` is
    /// how many names found no room.
    pub fn look(
        &mut self,
        evidence: &mut Evidence,
        at: Timestamp,
        complete_since: Option<Timestamp>,
        left_out: u64,
        lines: &[KeyLine<'_>],
    ) -> LookChange {
        // The same entries that are no message are there at every look.
        let intake = BrokerIntake::new(evidence, &self.name, at, self.keep);
        let mut intake = intake.with_counted(self.foreign).noting_task_ids();
        self.reader.begin_look(&mut intake);
        lines.iter().for_each(|line| self.reader.announce(line, &mut intake));
        lines.iter().for_each(|line| self.reader.take(line, &mut intake));
        let seen = Completeness { held: true, since: complete_since, left_out, ended_early: false };
        let passed_over = self.reader.end_look(seen, &mut intake);
        self.foreign = self.foreign.max(intake.foreign_entries());

        let mut here_bytes = 0;
        let mut has_room = |id: &str| {
            here_bytes += Self::weight(id);
            here_bytes <= self.here_bound
        };
        let seen = intake.into_task_ids().into_iter();
        let mut here: BTreeSet<Box<str>> = seen.take_while(|id| has_room(id)).collect();
        let mut gone = Vec::new();
        for id in std::mem::take(&mut self.here) {
            if here.contains(&id) {
                continue;
            }
            let Some(task) = evidence.tasks.get(&id) else { continue };
            // If there were several attempts, the last one is the one that was here.
            match task.messages.last().map(|delivery| evidence.presence_of(delivery)) {
                Some(Presence::Gone) => gone.push(id),
                Some(Presence::Unknown) if here.len() < Self::HERE && has_room(&id) => drop(here.insert(id)),
                _ => {}
            }
        }
        self.here_bytes = here.iter().map(|id| Self::weight(id)).sum();
        self.here = here;
        gone.iter().for_each(|id| evidence.message_left(id));
        LookChange { gone, passed_over }
    }

    /// Takes a key that a client wrote at `at`. This is not a look.
    pub fn monitored(&mut self, evidence: &mut Evidence, at: Timestamp, line: &KeyLine<'_>) {
        // Entries that are no message are not counted here: looks count them.
        let intake = BrokerIntake::new(evidence, &self.name, at, self.keep);
        let mut intake = intake.with_counted(u64::MAX).noting_task_ids();
        self.reader.hear(line, &mut intake);
        for id in intake.into_task_ids() {
            let bytes = Self::weight(&id);
            if self.here.len() >= Self::HERE || self.here_bytes + bytes > self.here_bound {
                break;
            }
            if self.here.insert(id) {
                self.here_bytes += bytes;
            }
        }
    }

    /// About how many bytes it holds between two looks, without the evidence.
    pub fn bytes(&self) -> usize {
        self.reader.bytes() + self.here_bytes
    }

    /// How many bytes an id takes while its message is watched.
    const fn weight(id: &str) -> usize {
        in_tree(size_of::<Box<str>>()) + allocation(id.len())
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::time::Duration;

    use super::*;
    use crate::model::MessageState;
    use crate::wire::snapshot::KeyContent;

    const ID: &str = "d580ee63-5e29-49b3-aef9-d4937b4c5aea";

    fn envelope(redelivered: bool) -> String {
        format!(
            r#"{{"body": "W10=", "content-type": "application/json", "content-encoding": "utf-8", "headers": {{"lang": "py", "task": "process_order", "id": "{ID}", "retries": 0, "argsrepr": "()", "redelivered": {redelivered}}}, "properties": {{"correlation_id": "{ID}", "delivery_info": {{"exchange": "orders", "routing_key": "new"}}, "body_encoding": "base64", "delivery_tag": "1"}}}}"#
        )
    }

    fn line(key: &str, content: KeyContent<'static>) -> KeyLine<'static> {
        let key = Cow::Owned(key.as_bytes().to_vec());
        KeyLine { db: 0, key, pttl: -1, content, len: None, from: 0, complete: true }
    }

    fn list(entries: &[String]) -> KeyLine<'static> {
        let entries = entries.iter().map(|entry| Cow::Owned(entry.as_bytes().to_vec()));
        line("orders", KeyContent::List(entries.collect()))
    }

    fn held() -> KeyLine<'static> {
        let value = format!(r#"[{}, "orders", "new"]"#, envelope(false));
        line("unacked", KeyContent::Hash(vec![(Cow::Borrowed(b"1"), Cow::Owned(value.into_bytes()))]))
    }

    fn binding(queue: &str) -> KeyLine<'static> {
        let member = format!("new\u{6}\u{16}\u{6}\u{16}{queue}").into_bytes();
        line("_kombu.binding.orders", KeyContent::Set(vec![Cow::Owned(member)]))
    }

    fn at(second: u64) -> Timestamp {
        Timestamp::from_nanos(1_795_376_994_000_000_000).after(Duration::from_secs(second))
    }

    fn look(live: &mut BrokerLooks, evidence: &mut Evidence, second: u64, lines: &[KeyLine<'_>]) {
        live.look(evidence, at(second), Some(at(second)), 0, lines);
    }

    #[test]
    fn what_lies_there_again_is_seen_again_and_what_changed_is_read() {
        let (mut live, mut evidence) =
            (BrokerLooks::new("here", EvidenceOptions::default(), 1 << 20), Evidence::default());
        for second in 0..5 {
            look(&mut live, &mut evidence, second, &[list(&[envelope(false)])]);
            let delivery = &evidence.tasks.get(ID).expect("seen").messages[0];
            assert_eq!((delivery.first().at, delivery.last().at), (at(0), at(second)));
            assert_eq!(evidence.presence_of(delivery), Presence::Waiting(MessageState::Ready));
            assert_eq!(delivery.deliveries(), 1);
            let last = evidence.brokers.last_looks().next().expect("a look");
            assert_eq!((last.queues["orders"].ready, last.queues["orders"].read), (1, 1));
        }
        look(&mut live, &mut evidence, 5, &[held()]);
        look(&mut live, &mut evidence, 6, &[held()]);
        look(&mut live, &mut evidence, 7, &[list(&[envelope(true)])]);
        let delivery = &evidence.tasks.get(ID).expect("seen").messages[0];
        assert_eq!((delivery.last().redelivered, delivery.deliveries()), (true, 2));
        look(&mut live, &mut evidence, 8, &[list(&[])]);
        let delivery = &evidence.tasks.get(ID).expect("seen").messages[0];
        assert_eq!(evidence.presence_of(delivery), Presence::Gone);
    }

    #[test]
    fn what_was_let_go_meanwhile_is_read_anew() {
        let mut live = BrokerLooks::new("here", EvidenceOptions::default(), 1 << 20);
        let lines = [list(&[envelope(false)])];
        look(&mut live, &mut Evidence::default(), 0, &lines);
        let mut evidence = Evidence::default();
        look(&mut live, &mut evidence, 1, &lines);
        assert_eq!(evidence.tasks.get(ID).expect("seen").messages.len(), 1);
    }

    #[test]
    fn a_binding_that_comes_later_says_which_queue_a_held_message_is_of() {
        let (mut live, mut evidence) =
            (BrokerLooks::new("here", EvidenceOptions::default(), 1 << 20), Evidence::default());
        for (second, queue) in [(0, "first"), (1, "first"), (2, "second")] {
            look(&mut live, &mut evidence, second, &[binding(queue), held()]);
            let last = evidence.brokers.last_looks().next().expect("a look");
            assert_eq!(last.queues[queue].unacked, 1, "{second}: {last:?}");
        }
    }
}

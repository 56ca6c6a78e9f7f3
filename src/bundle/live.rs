//! A live broker as evidence: each look at it, and what was overheard between.

use std::collections::{BTreeMap, BTreeSet};

use super::read::{Reading, announce, take};
use crate::evidence::{Atlas, Evidence, Fate, Looker};
use crate::model::Timestamp;
use crate::wire::celery::NotAMessage;
use crate::wire::snapshot::{Content, KeyLine};

/// Takes the looks at one broker into the evidence, one after the other.
///
/// Two looks that see the same grow nothing: each message is known by its task,
/// and what is counted is counted once.
#[derive(Debug)]
pub struct LiveBroker {
    name: String,
    reading: Reading,
    /// What its names mean, as of the last look.
    atlas: Atlas,
    /// The tasks whose messages were there when they were seen last, and of
    /// which no look has shown yet that they are gone.
    here: BTreeSet<Box<str>>,
    /// Entries that are no Celery message, the most of any look.
    foreign: u64,
}

/// What a look brought.
#[derive(Default, Debug)]
pub struct Change {
    /// The tasks of which a message has left the broker since the look before.
    pub gone: Vec<Box<str>>,
    /// What was passed over, by the key that holds it.
    pub passed_over: BTreeMap<String, (u64, NotAMessage)>,
}

impl LiveBroker {
    /// How many messages are waited for to go.
    const HERE: usize = 100_000;

    /// The broker of this name (`host:port/db`).
    pub fn new(name: impl Into<String>, reading: Reading) -> Self {
        Self {
            name: name.into(),
            atlas: Atlas::named(reading.naming.clone()),
            reading,
            here: BTreeSet::new(),
            foreign: 0,
        }
    }

    /// Takes a look: every key that was read at `at`, and the moment since which
    /// every key that is there was met (`None`: not all were looked for). A task
    /// whose message has gone is touched, so that it is given the time to run.
    pub fn look(
        &mut self,
        evidence: &mut Evidence,
        at: Timestamp,
        complete_since: Option<Timestamp>,
        lines: &[KeyLine<'_>],
    ) -> Change {
        let foreign_before = evidence.foreign_entries;
        let Reading { keep, options, naming } = &self.reading;
        let mut looker = Looker::new(evidence, &self.name, at, *keep, *options, naming.clone());
        looker.note_seen();
        looker.looked_for_workers();
        looker.complete_since(complete_since);
        lines.iter().for_each(|line| announce(&mut looker, line));
        lines.iter().for_each(|line| take(&mut looker, line));
        let passed_over = std::mem::take(&mut looker.foreign);
        let seen = looker.seen();
        self.atlas = looker.finish();

        // The same entries lie there at every look.
        let foreign = evidence.foreign_entries - foreign_before;
        evidence.foreign_entries = foreign_before + foreign.saturating_sub(self.foreign);
        self.foreign = self.foreign.max(foreign);

        let mut here: BTreeSet<Box<str>> = seen.into_iter().collect();
        let mut gone = Vec::new();
        for id in std::mem::take(&mut self.here) {
            if here.contains(&id) {
                continue;
            }
            let Some(task) = evidence.tasks.get(&id) else { continue };
            // Of several attempts the last is the one that was here.
            match task.messages.last().map(|delivery| evidence.fate_of(delivery)) {
                Some(Fate::Gone) => gone.push(id),
                Some(Fate::Unknown) if here.len() < Self::HERE => drop(here.insert(id)),
                _ => {}
            }
        }
        self.here = here;
        let Evidence { tasks, ages, .. } = evidence;
        gone.iter().for_each(|id| tasks.lost_sight_of(id, ages));
        Change { gone, passed_over }
    }

    /// Takes what was overheard at `at`: a message that was pushed or is held
    /// now, or a result. It is no look: nothing is said of what was not heard.
    pub fn overheard(&mut self, evidence: &mut Evidence, at: Timestamp, line: &KeyLine<'_>) {
        let foreign = evidence.foreign_entries;
        let Reading { keep, options, naming } = &self.reading;
        let atlas = std::mem::take(&mut self.atlas);
        let mut looker =
            Looker::new(evidence, &self.name, at, *keep, *options, naming.clone()).with_atlas(atlas);
        looker.note_seen();
        match &line.content {
            // Bindings are taken from looks.
            Content::Set(_) => {}
            _ => take(&mut looker, line),
        }
        let seen = looker.seen();
        self.atlas = looker.leave();
        evidence.foreign_entries = foreign;
        let room = Self::HERE.saturating_sub(self.here.len());
        self.here.extend(seen.into_iter().take(room));
    }
}

//! Walks over the names in a database, a little at each look.
//!
//! A database may hold a million keys of other programs. Redis looks at a thousand of
//! them a step, and a look takes as many steps as fit into a few milliseconds. So a new
//! queue is found sooner or later, and no look is ever slow. The queues of watched
//! bindings need no walk, because their keys are asked for by name.

#![allow(clippy::disallowed_methods, reason = "how long to walk and to rest is no evidence")]

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use super::watched_keys::WatchedKeys;
use crate::broker::redis::connection::{Connection, KeyKind, ReadCommand, SCAN_STEP};
use crate::broker::redis::error::BrokerError;
use crate::model::{Set, Timestamp};
use crate::wire::celery::Envelope;
use crate::wire::celery::redis_layout::keys::{self, Key};

/// How long one look walks.
const STRETCH: Duration = Duration::from_millis(20);
/// A walk is followed by a rest of at least this.
const REST: Duration = Duration::from_secs(5);
/// The rest lasts at least this many times as long as the walk took.
const REST_FOR_WALK: u32 = 20;
/// After this many times as long as the walk took, the next one begins if any key has
/// come or gone: an application that starts creates its queues now, and its first
/// messages are in them.
const REST_FOR_NEWS: u32 = 50;
/// The next walk begins after half of the rest if the number of keys has changed by more
/// than `MANY` and by more than one in `SHARE`.
const MANY: u64 = 1000;
const SHARE: u64 = 10;
/// Lists that are probed in one round trip: each answer is a message.
const PROBES: usize = 32;
/// How many lists of other programs are remembered, so as not to probe them again.
const FOREIGN: usize = 100_000;

/// The state of the walk.
#[derive(Debug, Default)]
pub struct KeyWalk {
    /// Counts the walks.
    number: u64,
    stage: Stage,
    /// When the current walk began, by Redis's clock.
    began: Timestamp,
    /// The time that it has taken so far.
    took: Duration,
    steps: u64,
    /// Whether it has found every name so far.
    is_whole: bool,
    /// When the last walk ended, or the first one began.
    ended: Option<Instant>,
    /// When the last whole walk began.
    complete_since: Option<Timestamp>,
    /// How many keys there were when the last walk began.
    keys: u64,
    foreign: Foreign,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Rest { until: Option<Instant> },
    Over { kind: KeyKind, cursor: u64 },
}

impl Default for Stage {
    fn default() -> Self {
        Self::Rest { until: None }
    }
}

impl KeyWalk {
    /// Before a first walk that is made in one go.
    pub fn first() -> Self {
        Self { ended: Some(Instant::now()), ..Self::default() }
    }

    /// Takes over the outcome of a first walk that was made in one go.
    pub fn began_with(&mut self, complete_since: Option<Timestamp>, keys: u64) {
        let now = Instant::now();
        self.took = self.ended.map_or(Duration::ZERO, |began| now - began);
        self.ended = Some(now);
        self.complete_since = complete_since;
        self.keys = keys;
        self.stage = Stage::Rest { until: Some(now + REST) };
    }

    /// Begins anew at the next look, and forgets what it knew: there may be a different
    /// server.
    pub fn begin_again(&mut self) {
        self.complete_since = None;
        self.foreign.digests.clear();
        self.stage = Stage::Rest { until: None };
    }

    /// Begins the next walk with the next look, without the rest of its rest.
    pub const fn hurry(&mut self) {
        if let Stage::Rest { until } = &mut self.stage {
            *until = None;
        }
    }

    /// Every key that exists was found at or after this moment.
    pub const fn complete_since(&self) -> Option<Timestamp> {
        self.complete_since
    }

    /// Walks for a while, if it is time for that.
    pub fn go_on(
        &mut self,
        connection: &mut Connection,
        watched: &mut WatchedKeys,
    ) -> Result<(), BrokerError> {
        let start = Instant::now();
        if let Stage::Rest { until } = self.stage
            && !self.has_rested(until, start, connection)?
        {
            return Ok(());
        }
        let (mut kind, mut cursor) = match self.stage {
            Stage::Rest { .. } => {
                self.begin(connection)?;
                (KeyKind::Set, 0)
            }
            Stage::Over { kind, cursor } => (kind, cursor),
        };
        loop {
            let command = ReadCommand::Scan { cursor, kind };
            let (next, names): (u64, Vec<Vec<u8>>) = connection.ask(&command)?;
            self.steps += 1;
            self.take(kind, names, connection, watched)?;
            cursor = next;
            if cursor == 0 && kind == KeyKind::List {
                self.end(start, watched);
                return Ok(());
            }
            if cursor == 0 {
                kind = KeyKind::List;
            }
            // A server that never ends its scan is not Redis.
            if self.steps > self.keys / SCAN_STEP * 8 + 1000 {
                self.is_whole = false;
                self.end(start, watched);
                return Ok(());
            }
            if start.elapsed() > STRETCH {
                self.took += start.elapsed();
                self.stage = Stage::Over { kind, cursor };
                return Ok(());
            }
        }
    }

    /// Whether it is time for the next walk. It is once the rest is over; or half of it,
    /// if the number of keys has changed much; or if that number has changed at all and a
    /// walk costs next to nothing.
    fn has_rested(
        &self,
        until: Option<Instant>,
        now: Instant,
        connection: &mut Connection,
    ) -> Result<bool, BrokerError> {
        let Some(until) = until else { return Ok(true) };
        if now >= until {
            return Ok(true);
        }
        let is_half_over = now + self.rest() / 2 >= until;
        let is_cheap = self.ended.is_none_or(|ended| now >= ended + self.took * REST_FOR_NEWS);
        if !is_half_over && !is_cheap {
            return Ok(false);
        }
        let keys: u64 = connection.ask(&ReadCommand::KeyCount)?;
        let change = keys.abs_diff(self.keys);
        Ok((is_cheap && change > 0) || (is_half_over && change > MANY.max(self.keys / SHARE)))
    }

    fn rest(&self) -> Duration {
        REST.max(self.took * REST_FOR_WALK)
    }

    fn begin(&mut self, connection: &mut Connection) -> Result<(), BrokerError> {
        self.number += 1;
        self.began = connection.clock()?;
        self.keys = connection.ask(&ReadCommand::KeyCount)?;
        // There may be a different server than at the last walk.
        connection.find_out_about_cluster()?;
        self.took = Duration::ZERO;
        self.steps = 0;
        self.is_whole = true;
        Ok(())
    }

    fn end(&mut self, start: Instant, watched: &mut WatchedKeys) {
        self.took += start.elapsed();
        watched.end_walk();
        if self.is_whole && !watched.is_cut {
            self.complete_since = Some(self.began);
            watched.forget_what_is_gone(self.number);
        }
        let now = Instant::now();
        self.ended = Some(now);
        self.stage = Stage::Rest { until: Some(now + self.rest()) };
    }

    fn take(
        &mut self,
        kind: KeyKind,
        names: Vec<Vec<u8>>,
        connection: &mut Connection,
        watched: &mut WatchedKeys,
    ) -> Result<(), BrokerError> {
        let names = names.into_iter().filter_map(|name| String::from_utf8(name).ok());
        if kind == KeyKind::Set {
            let is_binding =
                |name: &String| matches!(keys::classify(name), Key::Binding { .. } | Key::Workers);
            names.filter(is_binding).for_each(|name| watched.add_binding(name));
            return Ok(());
        }
        let mut unknown = Vec::new();
        for name in names.filter(|name| keys::classify(name) == Key::Other) {
            if watched.lists.contains_key(&name) || watched.bound.is_queue(&name) {
                watched.add_list(&name, self.number);
            } else if !self.foreign.has(&name) {
                unknown.push(name);
            }
        }
        for names in unknown.chunks(PROBES) {
            self.probe(names, connection, watched)?;
        }
        Ok(())
    }

    /// Reads the ends of lists that are not watched.
    fn probe(
        &mut self,
        names: &[String],
        connection: &mut Connection,
        watched: &mut WatchedKeys,
    ) -> Result<(), BrokerError> {
        let ends = names.iter().flat_map(|name| {
            [-1, 0].map(|index| (name, ReadCommand::ListEntry { key: name.as_bytes(), index }))
        });
        let (names, questions): (Vec<&String>, Vec<_>) = ends.unzip();
        let mut is_queue = BTreeMap::<&String, bool>::new();
        for (name, answer) in names.into_iter().zip(connection.ask_each::<Option<Vec<u8>>>(&questions)?) {
            let is_message = match answer {
                Ok(entry) => entry.is_some_and(|entry| Envelope::decode(&entry).is_ok()),
                Err(BrokerError::WrongType { .. }) => false,
                Err(BrokerError::NoPermission { key: Some(_), .. } | BrokerError::OtherNode { .. }) => {
                    self.is_whole = false;
                    false
                }
                Err(error) => return Err(error),
            };
            *is_queue.entry(name).or_default() |= is_message;
        }
        for (name, is_queue) in is_queue {
            if is_queue {
                watched.add_list(name, self.number);
            } else {
                self.foreign.add(name);
            }
        }
        Ok(())
    }
}

/// The lists that are not Celery's, by digests of their names.
#[derive(Debug, Default)]
struct Foreign {
    /// Names come from outside. The random key prevents that somebody chooses a name with
    /// the digest of another one, and so hides a queue.
    key: RandomState,
    digests: Set<u64>,
}

impl Foreign {
    fn has(&self, name: &str) -> bool {
        self.digests.contains(&self.key.hash_one(name))
    }

    fn add(&mut self, name: &str) {
        if self.digests.len() < FOREIGN {
            self.digests.insert(self.key.hash_one(name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without a random key, somebody could name a list so that a queue looks like it.
    #[test]
    fn digests_of_names_differ_from_walk_to_walk() {
        let [mut one, other] = [Foreign::default(), Foreign::default()];
        one.add("cache:1");
        assert!(one.has("cache:1") && !one.has("cache:2"));
        assert_ne!(one.key.hash_one("cache:1"), other.key.hash_one("cache:1"));
    }
}

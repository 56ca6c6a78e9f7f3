//! Finds Celery's keys in a database, by their names and by reading the ends of its
//! lists.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::connection::{Connection, FromReply, KeyKind, ReadCommand, SCAN_STEP};
use super::error::BrokerError;
use super::other_databases::other_databases;
use crate::model::Timestamp;
use crate::wire::celery::Envelope;
use crate::wire::celery::redis_layout::Bound;
use crate::wire::celery::redis_layout::keys::{self, Key, PRIORITY_STEPS};
use crate::wire::snapshot::{KeyContent, KeyLine};

/// The keys that a walk over the names in a database found.
#[derive(Clone, PartialEq, Debug)]
pub struct Discovery {
    /// When it began, by Redis's clock.
    pub at: Timestamp,
    /// How many keys of all kinds the database held then.
    pub keys: u64,
    /// kombu's bindings: a set for each exchange.
    pub bindings: Vec<KeyLine<'static>>,
    /// Lists that are bound as queues, or that hold a message at one of their ends.
    pub lists: Vec<FoundKey>,
    /// How many lists are neither: they belong to other programs.
    pub foreign_lists: u64,
    /// The hashes `unacked`, of the messages that workers hold.
    pub held: Vec<FoundKey>,
    /// The sorted sets `unacked_index`, of when workers fetched them.
    pub held_since: Vec<FoundKey>,
    /// Whether every key was found. It is not so if the walk was broken off, if the user
    /// may not read some keys, or if other nodes of a cluster may hold some.
    pub complete: bool,
    /// Whether the server is a node of a Redis Cluster.
    pub is_cluster_node: bool,
}

/// A key that was found.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FoundKey {
    pub key: String,
    /// How many entries or fields it had.
    pub len: u64,
}

/// How many keys of one type are kept. No application has more queues.
const KEYS: usize = 100_000;
/// How many members of one binding are kept.
const MEMBERS: usize = 10_000;
/// Questions in one round trip, where each has a short answer.
const BATCH: usize = 500;
/// The same where an answer is a message.
const PROBES: usize = 32;

/// Walks over the names in the database: once over its sets, for the bindings, and once
/// over its lists. The lists of bound queues and `unacked` are also asked for by name,
/// with the prefixes that the bindings show.
///
/// Redis looks at a thousand keys a step, which occupies it for less than a millisecond;
/// a million keys of other programs take about half a second. `progress` is told how many
/// keys the walk has passed, and of about how many, and may break it off. A key that is
/// written meanwhile may be found or not. The lists of the queues that are `named` are
/// kept, whatever they hold.
///
/// # Errors
///
/// [`BrokerError`]; [`BrokerError::NotCelery`] where nothing is found, or on a node of a
/// cluster [`BrokerError::NotOnThisNode`]; [`BrokerError::NoPermission`] where the user
/// may read nothing that is found; and [`BrokerError::WrongType`] where a named queue's
/// key is not a list.
pub fn discover(
    connection: &mut Connection,
    named: &[String],
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<Discovery, BrokerError> {
    let at = connection.clock()?;
    for queue in named {
        connection.ask::<u64>(&ReadCommand::ListLength(queue.as_bytes()))?;
    }
    let keys = connection.ask(&ReadCommand::KeyCount)?;
    connection.find_out_about_cluster()?;
    let mut walk = KeyScan {
        connection,
        keys,
        passed: 0,
        is_whole: true,
        refused: None,
        other_nodes: BTreeSet::new(),
        progress,
    };

    let sets = walk.sets(|key| matches!(key, Key::Binding { .. } | Key::Workers))?;
    let mut bindings = Vec::new();
    for key in sets {
        match walk.members(key) {
            Ok(binding) => bindings.push(binding),
            Err(error) => walk.pass_over(error)?,
        }
    }
    let bound = Bound::of(&bindings, named);
    // Those with known names come first, so they are found however the walk ends.
    let mut lists = BTreeSet::from_iter(walk.lengths(&lists_of(&bound), |key| ReadCommand::ListLength(key))?);
    let foreign_lists = walk.lists(&bound, &mut lists)?;
    let lists = Vec::from_iter(lists);

    let prefixes: BTreeSet<&str> = bindings.iter().filter_map(prefix).chain([""]).collect();
    let unacked: Vec<_> = prefixes.iter().map(|prefix| keys::unacked(prefix)).collect();
    let indexes: Vec<_> = unacked.iter().map(|unacked| keys::index_of(unacked)).collect();
    let held = walk.lengths(&unacked, |key| ReadCommand::HashLength(key))?;
    let held_since = walk.lengths(&indexes, |key| ReadCommand::SortedLength(key))?;

    let (is_whole, refused, other_nodes) = (walk.is_whole, walk.refused, walk.other_nodes);
    let is_cluster_node = connection.is_cluster_node();
    let complete = is_whole && !is_cluster_node;
    let is_empty = bindings.is_empty() && lists.is_empty() && held.is_empty();
    if let Some(refused) = refused.filter(|_| is_empty) {
        return Err(refused);
    }
    if is_whole && is_empty && is_cluster_node {
        let (broker, nodes) = (connection.shown().to_owned(), other_nodes.into_iter().collect());
        return Err(BrokerError::NotOnThisNode { broker, keys, nodes });
    }
    if complete && is_empty {
        let url = connection.url().clone();
        let other_databases = other_databases(&url, connection);
        return Err(BrokerError::NotCelery { broker: connection.shown().to_owned(), keys, other_databases });
    }
    Ok(Discovery { at, keys, bindings, lists, foreign_lists, held, held_since, complete, is_cluster_node })
}

fn prefix<'k>(binding: &'k KeyLine<'_>) -> Option<&'k str> {
    std::str::from_utf8(&binding.key).ok().map(keys::prefix_of)
}

/// The keys of the lists of bound queues.
fn lists_of(bound: &Bound) -> Vec<String> {
    let lists = bound.queues().flat_map(|(prefix, queues)| {
        let of = move |queue: &String| PRIORITY_STEPS.map(|step| keys::list_of(prefix, queue, step));
        queues.iter().flat_map(of)
    });
    lists.take(KEYS).collect()
}

/// A walk in progress.
struct KeyScan<'w> {
    connection: &'w mut Connection,
    keys: u64,
    passed: u64,
    is_whole: bool,
    /// The first refusal to let the user read a key.
    refused: Option<BrokerError>,
    /// The nodes of a cluster that hold keys which were asked for by name.
    other_nodes: BTreeSet<String>,
    progress: &'w mut dyn FnMut(u64, u64) -> ControlFlow<()>,
}

impl KeyScan<'_> {
    /// The names of the sets for which `is_wanted` holds.
    fn sets(&mut self, is_wanted: impl Fn(&Key<'_>) -> bool) -> Result<BTreeSet<String>, BrokerError> {
        // A scan may show a key twice while the table is resized.
        let mut found = BTreeSet::new();
        self.over(KeyKind::Set, |_, names| {
            found.extend(names.into_iter().filter(|name| is_wanted(&keys::classify(name))));
            Ok(found.len() < KEYS)
        })?;
        Ok(found)
    }

    /// Adds the lists that are queues, and returns how many are not.
    fn lists(&mut self, bound: &Bound, queues: &mut BTreeSet<FoundKey>) -> Result<u64, BrokerError> {
        let mut known: BTreeSet<String> = queues.iter().map(|list| list.key.clone()).collect();
        let mut foreign = 0;
        self.over(KeyKind::List, |walk, names| {
            let names: Vec<_> = names
                .into_iter()
                .filter(|name| keys::classify(name) == Key::Other && !known.contains(name))
                .collect();
            let (found, others) = walk.queues(names, bound)?;
            foreign += others;
            known.extend(found.iter().map(|list| list.key.clone()));
            queues.extend(found);
            Ok(queues.len() < KEYS)
        })?;
        Ok(foreign)
    }

    /// Gives `each` the names of the keys of one type, a step's at a time, until it
    /// breaks off.
    fn over(
        &mut self,
        kind: KeyKind,
        mut each: impl FnMut(&mut Self, Vec<String>) -> Result<bool, BrokerError>,
    ) -> Result<(), BrokerError> {
        // A server that never ends its scan is not Redis, and must not keep tracelink
        // busy.
        let most_steps = self.keys / SCAN_STEP * 4 + 1000;
        let mut cursor = 0;
        for _ in 0..most_steps {
            let (next, names): (u64, Vec<Vec<u8>>) =
                self.connection.ask(&ReadCommand::Scan { cursor, kind })?;
            let names = names.into_iter().filter_map(|name| String::from_utf8(name).ok()).collect();
            let goes_on = each(self, names)?;
            self.passed += SCAN_STEP;
            cursor = next;
            if cursor == 0 {
                return Ok(());
            }
            if !goes_on || (self.progress)(self.passed, self.keys.saturating_mul(2)).is_break() {
                break;
            }
        }
        self.is_whole = false;
        Ok(())
    }

    fn members(&mut self, name: String) -> Result<KeyLine<'static>, BrokerError> {
        let mut members = BTreeSet::new();
        let mut cursor = 0;
        let mut complete = false;
        for _ in 0..MEMBERS {
            let command = ReadCommand::SetScan { key: name.as_bytes(), cursor };
            let (next, some): (u64, Vec<Vec<u8>>) = self.connection.ask(&command)?;
            members.extend(some);
            cursor = next;
            complete = cursor == 0;
            if complete || members.len() >= MEMBERS {
                break;
            }
        }
        let pttl = self.connection.ask(&ReadCommand::TimeToLive(name.as_bytes()))?;
        Ok(KeyLine {
            db: self.connection.database(),
            key: Cow::Owned(name.into_bytes()),
            pttl,
            content: KeyContent::Set(members.into_iter().map(Cow::Owned).collect()),
            len: None,
            from: 0,
            complete,
        })
    }

    /// The lists that are queues, and how many are not. A list that is not bound is a
    /// queue if it holds a message at one of its ends.
    fn queues(&mut self, names: Vec<String>, bound: &Bound) -> Result<(Vec<FoundKey>, u64), BrokerError> {
        let (mut queues, unbound): (Vec<_>, Vec<_>) =
            names.into_iter().partition(|name| bound.is_queue(name));
        let mut foreign = 0;
        for names in unbound.chunks(PROBES) {
            let keys = names.iter().map(String::as_bytes);
            let ends = keys.flat_map(|key| [-1, 0].map(|index| ReadCommand::ListEntry { key, index }));
            let questions: Vec<_> = ends.collect();
            let answers = self.each::<Option<Vec<u8>>>(&questions)?;
            for (name, ends) in names.iter().zip(answers.chunks(2)) {
                let is_message = |entry: &Vec<u8>| Envelope::decode(entry).is_ok();
                if ends.iter().flatten().flatten().any(is_message) {
                    queues.push(name.clone());
                } else {
                    foreign += 1;
                }
            }
        }
        Ok((self.lengths(&queues, |key| ReadCommand::ListLength(key))?, foreign))
    }

    /// The keys that exist, with their lengths.
    fn lengths(
        &mut self,
        names: &[String],
        question: impl for<'k> Fn(&'k [u8]) -> ReadCommand<'k>,
    ) -> Result<Vec<FoundKey>, BrokerError> {
        let mut found = Vec::new();
        for names in names.chunks(BATCH) {
            let questions: Vec<_> = names.iter().map(|name| question(name.as_bytes())).collect();
            let lengths = self.each::<u64>(&questions)?;
            let there = names.iter().zip(lengths).filter_map(|(name, len)| Some((name, len?)));
            found.extend(
                there.filter(|(_, len)| *len > 0).map(|(key, len)| FoundKey { key: key.clone(), len }),
            );
        }
        Ok(found)
    }

    /// Asks one question for each key. Skips a key that belongs to another program now.
    /// Skips one that cannot be read too, and then the discovery is incomplete.
    fn each<T: FromReply>(&mut self, questions: &[ReadCommand<'_>]) -> Result<Vec<Option<T>>, BrokerError> {
        let mut answers = Vec::with_capacity(questions.len());
        for answer in self.connection.ask_each(questions)? {
            answers.push(match answer {
                Ok(answer) => Some(answer),
                Err(BrokerError::WrongType { .. }) => None,
                Err(error) => {
                    self.pass_over(error)?;
                    None
                }
            });
        }
        Ok(answers)
    }

    /// Continues without a key that the user may not read, or that lies on another node
    /// of a cluster. Any other error ends the walk.
    fn pass_over(&mut self, error: BrokerError) -> Result<(), BrokerError> {
        match error {
            BrokerError::NoPermission { key: Some(_), .. } => {
                self.is_whole = false;
                self.refused.get_or_insert(error);
            }
            BrokerError::OtherNode { node, .. } => drop(self.other_nodes.insert(node)),
            error => return Err(error),
        }
        Ok(())
    }
}

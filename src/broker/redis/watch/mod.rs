//! Looks at a live broker again and again, at a cost that does not grow. Nothing here
//! knows what a message means, or who reads the looks.
//!
//! [`discover`] walks over every name in the database, and [`read`](super::read()) reads
//! a queue to its end. That is right for one look. A watch looks every second for hours,
//! beside an application that uses the same Redis. So one look asks only for the keys
//! that are known to be Celery's, in one round trip, and reads a bounded part of each:
//! the newest messages and those that workers take next. Between looks, the names are
//! walked over in small steps ([`walk`]).
//!
//! A look misses two things. A message that a worker has taken from its list and not yet
//! put into `unacked` (for a millisecond or so) is in neither. A message that is
//! published, run and acknowledged between two looks is never seen;
//! [`Monitor`](super::Monitor) sees it.

mod look;
mod options;
mod reconnecting;
mod walk;
mod watched_keys;

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::ops::ControlFlow;

use rustc_hash::FxHasher;

pub use self::options::WatchOptions;
use self::reconnecting::Reconnecting;
use self::walk::KeyWalk;
use self::watched_keys::WatchedKeys;
use super::connection::Connection;
use super::discovery::discover;
use super::error::BrokerError;
use super::results::read_results;
use super::url::BrokerUrl;
use crate::model::Timestamp;
use crate::wire::snapshot::{KeyContent, KeyLine};

/// What one look read.
#[derive(Clone, PartialEq, Debug)]
pub struct Look {
    /// When it began, by Redis's clock.
    pub at: Timestamp,
    /// Bindings first, then lists, `unacked`, `unacked_index` and results.
    pub lines: Vec<KeyLine<'static>>,
    /// Every key that exists was found at or after this moment; a queue made later may
    /// still be unknown. `None` where not all keys were found.
    pub complete_since: Option<Timestamp>,
    /// How many names of keys, and of queues in bindings, were left out for lack of room:
    /// a key that is not among the lines may exist.
    pub left_out: u64,
    /// Messages that are there and were not read.
    pub unread: u64,
    /// Results that were skipped because they are longer than 1 MiB.
    pub long_results: u64,
    /// Why results could not be read: said once, for as long as it lasts.
    pub results_failed: Option<String>,
    /// The databases of the same server that hold Celery's keys, where this one held none
    /// when the watch began: said once.
    pub other_databases: Vec<u32>,
    /// Whether the server has turned out to be a node of a Redis Cluster: then keys on
    /// other nodes are not seen. Said once.
    pub is_cluster_node: bool,
    /// How many commands the look sent, those to another server for results not counted.
    pub commands: u64,
    /// Whether anything differs from what the look before saw.
    pub is_news: bool,
    /// Whether this is the first look since the broker was away.
    pub is_back: bool,
}

/// A broker that is looked at again and again.
///
/// Each look may wait for the network, as long as [`Connection`] says. Hold no lock
/// meanwhile.
#[derive(Debug)]
pub struct BrokerWatch {
    link: Reconnecting,
    /// The result backend, where it is another server or database.
    results: Option<Reconnecting>,
    options: WatchOptions,
    watched: WatchedKeys,
    walk: KeyWalk,
    /// Ids whose results were not asked for at the last look come first.
    turn: VecDeque<String>,
    last: Option<u64>,
    /// Whether it was said that results cannot be read.
    told_of_results: bool,
    /// Other databases that hold Celery's keys, to be reported by the next look.
    other_databases: Vec<u32>,
    /// Whether it was said that the server is a node of a cluster.
    told_of_cluster: bool,
}

impl BrokerWatch {
    /// Connects, and walks once over all names. A database without any of Celery's keys
    /// is no error: the application may start later.
    ///
    /// A million keys of other programs take about half a second.
    ///
    /// # Errors
    ///
    /// [`BrokerError`], where the broker cannot be reached or read. A result backend that
    /// cannot be reached is reported in [`Look::results_failed`].
    pub fn open(
        url: &BrokerUrl,
        result_backend: Option<&BrokerUrl>,
        options: WatchOptions,
    ) -> Result<Self, BrokerError> {
        let mut connection = Connection::open(url)?;
        let mut watched = WatchedKeys::new(options.key_prefix.clone(), options.keys);
        let mut walk = KeyWalk::first();
        let mut other_databases = Vec::new();
        match discover(&mut connection, &[], &mut |_, _| ControlFlow::Continue(())) {
            Ok(discovery) => {
                watched.learn(&discovery);
                walk.began_with(discovery.complete.then_some(discovery.at), discovery.keys);
            }
            Err(BrokerError::NotCelery { keys, other_databases: found, .. }) => {
                other_databases = found;
                walk.began_with(Some(connection.clock()?), keys);
            }
            Err(BrokerError::NotOnThisNode { keys, .. }) => walk.began_with(None, keys),
            Err(error) => return Err(error),
        }
        Ok(Self {
            link: Reconnecting::made(url, connection),
            results: result_backend.filter(|backend| *backend != url).map(Reconnecting::to),
            options,
            watched,
            walk,
            turn: VecDeque::new(),
            last: None,
            told_of_results: false,
            other_databases,
            told_of_cluster: false,
        })
    }

    /// The broker's URL, its password masked.
    pub fn shown(&self) -> &str {
        self.link.shown()
    }

    /// Walks over all names again with the next looks, to find the keys that came since
    /// the last walk.
    pub fn walk_again(&mut self) {
        self.walk.hurry();
    }

    /// Looks once. `unfinished` are the ids of the tasks whose results are not final.
    /// Each is asked for by name.
    ///
    /// `None` where the broker is away and an earlier look said so. It is tried again,
    /// after a second at first and after half a minute at last.
    ///
    /// # Errors
    ///
    /// [`BrokerError`], once for as long as it lasts. A look that failed saw nothing, and
    /// does not show that anything is absent.
    pub fn look(&mut self, unfinished: &[String]) -> Result<Option<Look>, BrokerError> {
        let is_back = self.link.is_away();
        let Some(connection) = self.link.connection()? else { return Ok(None) };
        if is_back {
            // A different server may answer there now.
            self.walk.begin_again();
        }
        let looked = self.walk.go_on(connection, &mut self.watched).and_then(|()| {
            look::look(connection, &mut self.watched, &self.options)
                .map(|seen| (seen, self.walk.complete_since()))
        });
        let (seen, complete_since) = match looked {
            Ok(looked) => looked,
            Err(error) => return self.link.lost(error).map_or(Ok(None), Err),
        };
        let passed_over = connection.take_passed_over();
        let is_cluster_node = connection.is_cluster_node();
        self.link.answered();
        let mut look = Look {
            at: seen.at,
            lines: seen.lines,
            // A key that is not here may lie on another node.
            complete_since: complete_since.filter(|_| !is_cluster_node),
            left_out: self.watched.left_out(),
            unread: seen.unread + passed_over,
            long_results: 0,
            results_failed: None,
            other_databases: std::mem::take(&mut self.other_databases),
            is_cluster_node: is_cluster_node
                && !std::mem::replace(&mut self.told_of_cluster, is_cluster_node),
            commands: 0,
            is_news: false,
            is_back,
        };
        self.read_results(unfinished, &mut look);
        if let Ok(Some(connection)) = self.link.connection() {
            look.commands = connection.take_commands_sent();
        }
        let digest = digest(&look.lines);
        look.is_news = self.last.replace(digest) != Some(digest);
        Ok(Some(look))
    }

    fn read_results(&mut self, unfinished: &[String], look: &mut Look) {
        let ids = self.whose_turn(unfinished);
        if ids.is_empty() {
            return;
        }
        let link = self.results.as_mut().unwrap_or(&mut self.link);
        let mut room = usize::try_from(self.options.bytes).unwrap_or(usize::MAX);
        let lines = &mut look.lines;
        let read = link.connection().and_then(|connection| {
            let Some(connection) = connection else { return Ok(None) };
            let ids = ids.iter().map(String::as_str);
            let prefix = &self.options.result_prefix;
            let long = read_results(connection, prefix, ids, &mut |line| {
                room = room.saturating_sub(weight(&line.content));
                lines.push(line);
                if room == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            Ok(Some(long))
        });
        match read {
            Ok(None) => {}
            Ok(Some(long)) => {
                look.long_results = long;
                link.answered();
                self.told_of_results = false;
            }
            Err(error) => {
                if !std::mem::replace(&mut self.told_of_results, true) {
                    look.results_failed = Some(error.to_string());
                }
                if error.ends_the_connection() {
                    link.lost(error);
                }
            }
        }
    }

    /// The ids whose results are asked for now: all, or as many as a look may ask for.
    /// Those that had to wait come first.
    fn whose_turn(&mut self, unfinished: &[String]) -> Vec<String> {
        if unfinished.len() <= self.options.results {
            self.turn.clear();
            return unfinished.to_vec();
        }
        let wanted: std::collections::HashSet<&str> = unfinished.iter().map(String::as_str).collect();
        self.turn.retain(|id| wanted.contains(id.as_str()));
        if self.turn.len() < self.options.results {
            let waiting: std::collections::HashSet<&str> = self.turn.iter().map(String::as_str).collect();
            let others: Vec<_> =
                unfinished.iter().filter(|id| !waiting.contains(id.as_str())).cloned().collect();
            self.turn.extend(others);
        }
        let count = self.options.results.min(self.turn.len());
        self.turn.drain(..count).collect()
    }
}

fn weight(content: &KeyContent<'_>) -> usize {
    match content {
        KeyContent::String(value) => value.len(),
        _ => 0,
    }
}

/// A digest of every key and its content: equal digests mean an equal state.
fn digest(lines: &[KeyLine<'_>]) -> u64 {
    let mut hasher = FxHasher::default();
    for line in lines {
        (&line.key, line.len, line.from, line.complete).hash(&mut hasher);
        match &line.content {
            KeyContent::List(entries) | KeyContent::Set(entries) => entries.hash(&mut hasher),
            KeyContent::Hash(pairs) => pairs.hash(&mut hasher),
            KeyContent::Zset(pairs) => {
                pairs.iter().for_each(|(member, score)| (member, score.to_bits()).hash(&mut hasher));
            }
            KeyContent::String(value) => value.hash(&mut hasher),
            KeyContent::Other(kind) => kind.hash(&mut hasher),
        }
    }
    hasher.finish()
}

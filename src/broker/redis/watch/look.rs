//! One look: every watched key, in one round trip.
//!
//! If all questions of a round trip have arrived, Redis answers them without serving
//! another client in between. So the answers are mostly of one moment, though Redis does
//! not promise that. A message that moves on between two answers is seen in both places
//! or, if a worker gives it back, in neither.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::options::WatchOptions;
use super::watched_keys::{List, WatchedKeys, bytes_of, mean};
use crate::broker::redis::connection::{Connection, FromReply, Pairs, ReadCommand};
use crate::broker::redis::error::BrokerError;
use crate::model::Timestamp;
use crate::wire::celery::redis_layout::keys;
use crate::wire::snapshot::{KeyContent, KeyLine};

/// Entries that are read of a list whose entries have an unknown size.
const FIRST_READING: u64 = 10;
/// Members of one binding, and of `unacked_index`.
const MEMBERS: usize = 10_000;
const INDEX: i64 = 999;

/// What was read.
#[derive(Debug)]
pub struct KeysRead {
    pub at: Timestamp,
    pub lines: Vec<KeyLine<'static>>,
    pub unread: u64,
}

/// The parts of one list that are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Reach {
    newest: u64,
    next_out: u64,
}

impl Reach {
    /// The whole list if it is short enough, or both of its ends.
    fn of(list: &List, quota: u64) -> Self {
        let quota = if list.mean.is_some() { quota } else { quota.min(FIRST_READING) };
        if list.len <= quota {
            Self { newest: quota, next_out: 0 }
        } else {
            Self { newest: quota / 2, next_out: quota - quota / 2 }
        }
    }

    fn ranges(self) -> impl Iterator<Item = (i64, i64)> {
        let index = |distance: u64| i64::try_from(distance).unwrap_or(i64::MAX);
        let newest = (self.newest > 0).then(|| (0, index(self.newest) - 1));
        let next_out = (self.next_out > 0).then(|| (-index(self.next_out), -1));
        newest.into_iter().chain(next_out)
    }
}

/// Looks at all watched keys, once.
pub fn look(
    connection: &mut Connection,
    watched: &mut WatchedKeys,
    options: &WatchOptions,
) -> Result<KeysRead, BrokerError> {
    let mut look = LookInProgress {
        db: connection.database(),
        options,
        room: options.bytes,
        lines: Vec::new(),
        unread: 0,
    };
    let at = connection.clock()?;
    let bindings = look.bindings(connection, watched)?;
    watched.learn_bindings(&bindings);
    let keys: Vec<String> = watched.lists.keys().cloned().collect();
    let longer = look.lists(connection, watched, &keys, true)?;
    look.lists(connection, watched, &longer, false)?;
    look.lines.extend(bindings);
    // The order does not depend on which keys were asked for twice.
    look.lines.sort_by(|one, other| place(one).cmp(&place(other)));
    Ok(KeysRead { at, lines: look.lines, unread: look.unread })
}

/// The place of a line: bindings come first, so that a reader knows the queues.
fn place<'l>(line: &'l KeyLine<'_>) -> (u8, &'l [u8], u64) {
    let rank = match line.content {
        KeyContent::Set(_) => 0,
        KeyContent::List(_) => 1,
        KeyContent::Hash(_) => 2,
        _ => 3,
    };
    (rank, &line.key, line.from)
}

struct LookInProgress<'o> {
    db: i64,
    options: &'o WatchOptions,
    /// Bytes that this look may still read.
    room: u64,
    lines: Vec<KeyLine<'static>>,
    unread: u64,
}

impl LookInProgress<'_> {
    fn line(
        &self,
        key: &str,
        content: KeyContent<'static>,
        len: Option<u64>,
        from: u64,
        complete: bool,
    ) -> KeyLine<'static> {
        KeyLine {
            db: self.db,
            key: Cow::Owned(key.as_bytes().to_vec()),
            pttl: -1,
            content,
            len,
            from,
            complete,
        }
    }

    fn push(&mut self, line: KeyLine<'static>) {
        self.room = self.room.saturating_sub(bytes_of(&line.content));
        self.lines.push(line);
    }

    fn bindings(
        &mut self,
        connection: &mut Connection,
        watched: &mut WatchedKeys,
    ) -> Result<Vec<KeyLine<'static>>, BrokerError> {
        let questions: Vec<_> = watched
            .bindings
            .iter()
            .map(|key| ReadCommand::SetScan { key: key.as_bytes(), cursor: 0 })
            .collect();
        connection.send(&questions)?;
        let mut answers = Vec::with_capacity(questions.len());
        for question in &questions {
            answers.push(tolerate(connection.receive::<(u64, Vec<Vec<u8>>)>(question)?)?);
        }
        let mut lines = Vec::new();
        let (mut room, mut unread) = (watched.most_members(), 0);
        for (key, answer) in watched.bindings.iter().zip(answers) {
            let Some((mut cursor, members)) = answer else { continue };
            let mut members: BTreeSet<Vec<u8>> = members.into_iter().collect();
            while cursor != 0 && members.len() < MEMBERS.min(room) {
                let question = ReadCommand::SetScan { key: key.as_bytes(), cursor };
                let (next, more): (u64, Vec<Vec<u8>>) = connection.ask(&question)?;
                members.extend(more);
                cursor = next;
            }
            // A set without members does not exist.
            if !members.is_empty() {
                // If the scan is not at its end, it has not found at least one.
                unread += (members.len().saturating_sub(room) as u64).max(u64::from(cursor != 0));
                let is_all = cursor == 0 && members.len() <= room;
                let members: Vec<_> = members.into_iter().take(room).map(Cow::Owned).collect();
                room -= members.len();
                lines.push(self.line(key, KeyContent::Set(members), None, 0, is_all));
            }
        }
        watched.unread_members = unread;
        Ok(lines)
    }

    /// Reads lists and, the first time, what workers hold. Returns the lists of which
    /// more may be read now that the size of their entries is known.
    fn lists(
        &mut self,
        connection: &mut Connection,
        watched: &mut WatchedKeys,
        keys: &[String],
        is_first: bool,
    ) -> Result<Vec<String>, BrokerError> {
        let share = self.room / watched.filled().max(1);
        let quota = |list: &List| {
            let fitting = share / list.mean.unwrap_or(1);
            self.options.entries.min(fitting).max(1)
        };
        let reaches: Vec<Reach> = keys
            .iter()
            .map(|key| {
                watched
                    .lists
                    .get(key)
                    .map_or(Reach { newest: 1, next_out: 0 }, |list| Reach::of(list, quota(list)))
            })
            .collect();
        let mut questions = Vec::new();
        for (key, reach) in keys.iter().zip(&reaches) {
            let key = key.as_bytes();
            questions.push(ReadCommand::ListLength(key));
            questions.extend(reach.ranges().map(|(first, last)| ReadCommand::ListRange { key, first, last }));
        }
        let held: Vec<(String, String, u64)> = if is_first {
            watched.held.iter().map(|(key, cursor)| (key.clone(), keys::index_of(key), *cursor)).collect()
        } else {
            Vec::new()
        };
        for (key, index, cursor) in &held {
            let (key, index) = (key.as_bytes(), index.as_bytes());
            questions.push(ReadCommand::HashLength(key));
            questions.push(ReadCommand::HashScan { key, cursor: *cursor });
            questions.push(ReadCommand::SortedLength(index));
            questions.push(ReadCommand::SortedRange { key: index, first: 0, last: INDEX });
        }
        connection.send(&questions)?;
        let mut answers = Answers { connection, questions: questions.iter() };
        let mut read = Vec::with_capacity(keys.len());
        for reach in &reaches {
            let len: Option<u64> = answers.next()?;
            let mut pieces = Vec::new();
            for _ in reach.ranges() {
                pieces.push(answers.next::<Vec<Vec<u8>>>()?.unwrap_or_default());
            }
            read.push((len, pieces));
        }
        let mut seen_held = Vec::with_capacity(held.len());
        for _ in &held {
            let len: Option<u64> = answers.next()?;
            let pairs: Option<(u64, Pairs<Vec<u8>>)> = answers.next()?;
            let since_len: Option<u64> = answers.next()?;
            let since: Option<Pairs<f64>> = answers.next()?;
            seen_held.push((len, pairs, since_len, since));
        }
        let mut longer = Vec::new();
        for ((key, reach), (len, pieces)) in keys.iter().zip(&reaches).zip(read) {
            let Some(list) = watched.lists.get_mut(key) else { continue };
            let Some(len) = len else {
                // It belongs to another program now, or may not be read: its content is
                // not known.
                let line = self.line(key, KeyContent::List(Vec::new()), None, 0, false);
                self.push(line);
                continue;
            };
            list.len = len;
            list.was_seen |= len > 0;
            list.mean = mean(pieces.iter().flatten().map(Vec::as_slice)).or(list.mean);
            // It is longer than expected, or the size of its entries was not known: both
            // of its ends are asked for again.
            if is_first && len > reach.newest && reach.next_out == 0 {
                longer.push(key.clone());
                continue;
            }
            let (was_seen, is_bound) = (list.was_seen, list.is_bound);
            self.list(key, len, pieces, was_seen && !is_bound, is_first);
        }
        for ((key, index, start), (len, pairs, since_len, since)) in held.into_iter().zip(seen_held) {
            let next = self.held(connection, &key, start, len, pairs)?;
            watched.held.insert(key, next);
            if let (Some(len), Some(Pairs(since))) = (since_len, since)
                && len > 0
            {
                let complete = since.len() as u64 >= len;
                let since = since.into_iter().map(|(member, score)| (Cow::Owned(member), score)).collect();
                let line = self.line(&index, KeyContent::Zset(since), Some(len), 0, complete);
                self.push(line);
            }
        }
        Ok(longer)
    }

    /// Adds the lines of a list: the whole of it, or its newest entries and those that
    /// workers take next.
    fn list(&mut self, key: &str, len: u64, pieces: Vec<Vec<Vec<u8>>>, tell_empty: bool, is_first: bool) {
        let mut pieces = pieces.into_iter();
        let newest = pieces.next().unwrap_or_default();
        let mut next_out = pieces.next().unwrap_or_default();
        let read = (newest.len() + next_out.len()) as u64;
        // Where the two ends meet, some entries came twice.
        let overlap = usize::try_from(read.saturating_sub(len)).unwrap_or(usize::MAX).min(next_out.len());
        next_out.drain(..overlap);
        // A list that was asked for a second time is seen later than what workers hold: a
        // message may have gone there in between.
        let complete = read >= len && is_first;
        self.unread += len.saturating_sub(read);
        let list = |entries: Vec<Vec<u8>>| KeyContent::List(entries.into_iter().map(Cow::Owned).collect());
        if !newest.is_empty() || (next_out.is_empty() && (len > 0 || tell_empty)) {
            let line = self.line(key, list(newest), Some(len), 0, complete);
            self.push(line);
        }
        if !next_out.is_empty() {
            let from = len.saturating_sub(next_out.len() as u64);
            let line = self.line(key, list(next_out), Some(len), from, complete);
            self.push(line);
        }
    }

    /// Reads what workers hold, from where the last look stopped. Returns where the next
    /// look continues.
    fn held(
        &mut self,
        connection: &mut Connection,
        key: &str,
        start: u64,
        len: Option<u64>,
        first: Option<(u64, Pairs<Vec<u8>>)>,
    ) -> Result<u64, BrokerError> {
        let (Some(len), Some((mut cursor, Pairs(pairs)))) = (len, first) else {
            let line = self.line(key, KeyContent::Hash(Vec::new()), None, 0, false);
            self.push(line);
            return Ok(0);
        };
        let mut found: BTreeMap<Vec<u8>, Vec<u8>> = pairs.into_iter().collect();
        let mut bytes: u64 = found.values().map(|value| value.len() as u64).sum();
        while cursor != 0 && (found.len() as u64) < self.options.entries && bytes < self.room {
            let question = ReadCommand::HashScan { key: key.as_bytes(), cursor };
            let (next, Pairs(pairs)): (u64, Pairs<Vec<u8>>) = connection.ask(&question)?;
            bytes += pairs.iter().map(|(_, value)| value.len() as u64).sum::<u64>();
            found.extend(pairs);
            cursor = next;
        }
        let complete = start == 0 && cursor == 0;
        if found.is_empty() && complete {
            return Ok(0);
        }
        self.unread += len.saturating_sub(found.len() as u64);
        let pairs = found.into_iter().map(|(field, value)| (Cow::Owned(field), Cow::Owned(value))).collect();
        let line = self.line(key, KeyContent::Hash(pairs), Some(len), 0, complete);
        self.push(line);
        Ok(cursor)
    }
}

/// Answers in the order of their questions.
struct Answers<'a, 'q> {
    connection: &'a mut Connection,
    questions: std::slice::Iter<'a, ReadCommand<'q>>,
}

impl Answers<'_, '_> {
    fn next<T: FromReply>(&mut self) -> Result<Option<T>, BrokerError> {
        let Some(question) = self.questions.next() else { return Ok(None) };
        tolerate(self.connection.receive(question)?)
    }
}

/// Skips a key that belongs to another program now, that the user may not read, or that
/// lies on another node of a cluster. Any other refusal ends the look.
fn tolerate<T>(answer: Result<T, BrokerError>) -> Result<Option<T>, BrokerError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(
            BrokerError::WrongType { .. }
            | BrokerError::NoPermission { key: Some(_), .. }
            | BrokerError::OtherNode { .. },
        ) => Ok(None),
        Err(error) => Err(error),
    }
}

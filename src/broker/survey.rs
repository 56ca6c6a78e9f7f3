//! What is in a broker, and its lists page by page.

use std::collections::VecDeque;
use std::hash::{BuildHasher, BuildHasherDefault};

use rustc_hash::{FxHashSet, FxHasher};

use super::client::{Client, Read};
use super::error::BrokerError;
use crate::wire::celery::keys::{self, Key};

/// What a look over the names in a database found.
#[derive(Clone, Default, Debug)]
pub struct Survey {
    /// kombu's sets, with their members.
    pub sets: Vec<(Vec<u8>, Vec<Vec<u8>>)>,
    /// Lists that may be queues, with their lengths.
    pub lists: Vec<Found>,
    /// The hashes `unacked`, with their lengths.
    pub unacked: Vec<Found>,
}

/// A key that was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    pub key: Vec<u8>,
    pub length: u64,
}

/// Looks over the names of the database: sets, lists and hashes, by their type.
/// `progress` is told how many keys of these were met.
///
/// # Errors
///
/// [`BrokerError`].
pub fn survey(client: &mut Client, mut progress: impl FnMut(u64)) -> Result<Survey, BrokerError> {
    let mut survey = Survey::default();
    let mut met = 0;
    for key in scan(client, "set", &mut met, &mut progress)? {
        let kind = std::str::from_utf8(&key).map(keys::classify);
        if matches!(kind, Ok(Key::Binding { .. } | Key::Workers)) {
            let members = client.ask(Read::SetMembers(&key))?;
            survey.sets.push((key, members));
        }
    }
    for key in scan(client, "list", &mut met, &mut progress)? {
        if !matches!(std::str::from_utf8(&key).map(keys::classify), Ok(Key::Control)) {
            let length = client.ask(Read::ListLength(&key))?;
            survey.lists.push(Found { key, length });
        }
    }
    for key in scan(client, "hash", &mut met, &mut progress)? {
        if matches!(std::str::from_utf8(&key).map(keys::classify), Ok(Key::Unacked)) {
            let length = client.ask(Read::HashLength(&key))?;
            survey.unacked.push(Found { key, length });
        }
    }
    survey.sets.sort_unstable();
    survey.lists.sort_unstable_by(|one, other| one.key.cmp(&other.key));
    survey.unacked.sort_unstable_by(|one, other| one.key.cmp(&other.key));
    Ok(survey)
}

fn scan(
    client: &mut Client,
    kind: &str,
    met: &mut u64,
    progress: &mut impl FnMut(u64),
) -> Result<Vec<Vec<u8>>, BrokerError> {
    // A scan may show a key twice while the table is resized.
    let mut found = std::collections::BTreeSet::new();
    let mut cursor = 0;
    loop {
        let (next, keys): (u64, Vec<Vec<u8>>) = client.ask(Read::Scan { cursor, kind })?;
        *met += keys.len() as u64;
        progress(*met);
        found.extend(keys);
        cursor = next;
        if cursor == 0 {
            return Ok(found.into_iter().collect());
        }
    }
}

/// Entries of a list, in the order in which they will be consumed.
#[derive(Clone, Default, Debug)]
pub struct Page {
    pub entries: Vec<Vec<u8>>,
    /// The index, from the newest, of the first entry of the page.
    pub first_index: u64,
    /// Entries that were left out because the page before had them: the list moved.
    pub seen_twice: u64,
}

/// Reads a list from its end, where the next message out lies.
///
/// Producers push at the other end, which changes no index that counts from
/// this one. Consumers take from this end: what has not been read yet then
/// comes nearer, so each page begins with the last entry of the one before,
/// and where that is not what it was, the page is looked for again.
#[derive(Debug)]
pub struct ListReader {
    key: Vec<u8>,
    length: u64,
    limit: u64,
    /// How many entries, from the end, were passed over or read.
    passed: u64,
    read: u64,
    page: u64,
    last: Option<Vec<u8>>,
    /// Hashes of the entries of the last pages.
    recent: VecDeque<FxHashSet<u64>>,
    pub moved: bool,
}

impl ListReader {
    /// Entries of the first page, before it is known how long they are.
    const FIRST_PAGE: u64 = 100;
    /// About how many bytes a page should have.
    const PAGE_BYTES: u64 = 1 << 20;
    /// The most entries of a page.
    const MOST: u64 = 10_000;
    /// How many pages back an entry is known again.
    const PAGES_KNOWN: usize = 2;

    /// Reads at most `limit` entries of a list that is `length` long.
    pub fn new(found: &Found, limit: u64) -> Self {
        Self {
            key: found.key.clone(),
            length: found.length,
            limit,
            passed: 0,
            read: 0,
            page: Self::FIRST_PAGE,
            last: None,
            recent: VecDeque::new(),
            moved: false,
        }
    }

    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// How many entries were handed out.
    pub fn read(&self) -> u64 {
        self.read
    }

    /// Whether nothing of the list was left out.
    pub fn is_complete(&self) -> bool {
        self.limit >= self.length
    }

    /// The next page; `None` at the end of the list or at the limit.
    ///
    /// # Errors
    ///
    /// [`BrokerError`].
    pub fn next(&mut self, client: &mut Client) -> Result<Option<Page>, BrokerError> {
        let wanted = self.page.min(self.limit.saturating_sub(self.read));
        if wanted == 0 {
            return Ok(None);
        }
        let overlap = u64::from(self.last.is_some());
        let to = -(signed(self.passed - overlap) + 1);
        let from = -signed(self.passed + wanted);
        let mut entries: Vec<Vec<u8>> = client.ask(Read::ListRange { key: &self.key, from, to })?;
        let asked = entries.len() as u64;
        if let Some(last) = &self.last {
            match entries.pop() {
                None => return Ok(None),
                Some(again) if again == *last => {}
                Some(other) => {
                    entries.push(other);
                    self.moved = true;
                    return self.resume(client, wanted);
                }
            }
        }
        if entries.is_empty() {
            return Ok(None);
        }
        Ok(Some(self.hand_out(entries, asked - overlap)))
    }

    /// Consumers took entries: what was read last lies nearer to the end by as
    /// many as they took, or is gone with them. The page is read from so much
    /// nearer, and what is known is left out.
    fn resume(&mut self, client: &mut Client, wanted: u64) -> Result<Option<Page>, BrokerError> {
        let back = self.passed.min(Self::MOST);
        let from = -signed(self.passed + wanted);
        let to = -(signed(self.passed - back) + 1);
        let entries: Vec<Vec<u8>> = client.ask(Read::ListRange { key: &self.key, from, to })?;
        let known = |entry: &Vec<u8>| self.recent.iter().any(|page| page.contains(&hash(entry)));
        // From the newest to the oldest: what is not known lies before what is.
        let fresh = entries.iter().take_while(|entry| !known(entry)).count();
        let total = entries.len() as u64;
        let mut page: Vec<_> = entries.into_iter().take(fresh).collect();
        if page.is_empty() {
            return Ok(None);
        }
        let reached = self.passed - back + total;
        let seen_twice = total - fresh as u64;
        self.passed = reached - page.len() as u64;
        let excess = page.len().saturating_sub(usize::try_from(wanted).unwrap_or(usize::MAX));
        page.drain(..excess);
        let count = page.len() as u64;
        let mut page = self.hand_out(page, count);
        page.seen_twice = seen_twice;
        Ok(Some(page))
    }

    fn hand_out(&mut self, mut entries: Vec<Vec<u8>>, count: u64) -> Page {
        self.passed += count;
        self.read += count;
        self.last = entries.first().cloned();
        self.recent.push_back(entries.iter().map(|entry| hash(entry)).collect());
        if self.recent.len() > Self::PAGES_KNOWN {
            self.recent.pop_front();
        }
        let bytes: u64 = entries.iter().map(|entry| entry.len() as u64).sum();
        let each = (bytes / count.max(1)).max(1);
        self.page = (Self::PAGE_BYTES / each).clamp(1, Self::MOST);
        // The list holds the newest first, and the oldest is consumed first.
        entries.reverse();
        let first_index = self.length.saturating_sub(self.passed - count + 1);
        Page { entries, first_index, seen_twice: 0 }
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn hash(entry: &[u8]) -> u64 {
    BuildHasherDefault::<FxHasher>::default().hash_one(entry)
}

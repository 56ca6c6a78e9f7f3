//! Remembers the messages of the last look at a broker by their content. Most of a queue is
//! still there at the next look, and is not read again.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use crate::model::memory_size::{allocation, in_map};
use crate::model::{Map, Message, MessageState, SecretHash};

/// What the entries of the last look were, and those of this one so far.
///
/// An entry is known by a 64-bit hash whose key nobody outside knows, so that nobody can
/// make two entries collide.
#[derive(Debug)]
pub struct LookCache {
    /// How many bytes it may take.
    bound: usize,
    key: SecretHash,
    last: Entries,
    now: Entries,
}

#[derive(Default, Debug)]
struct Entries {
    known: Map<u64, Cached>,
    bytes: usize,
}

/// As much of a message as is needed to report it again.
#[derive(Clone, Debug)]
pub struct Cached {
    pub id: Box<str>,
    pub queue: Arc<str>,
    pub attempt: u32,
    pub state: MessageState,
    pub redelivered: bool,
}

impl Cached {
    pub fn of(message: &Message) -> Self {
        Self {
            id: message.id.clone(),
            queue: Arc::clone(&message.queue),
            attempt: message.retries,
            state: message.state,
            redelivered: message.redelivered,
        }
    }
}

impl LookCache {
    /// How many messages are kept, in about 3 MB: more than a look of the usual size reads.
    const MESSAGES: usize = 20_000;

    /// A cache of at most this many bytes. What finds no room is read again.
    pub fn new(bound: usize) -> Self {
        Self { bound, key: SecretHash::default(), last: Entries::default(), now: Entries::default() }
    }

    /// The digest of an entry, together with whatever else decides how it is read.
    pub fn digest(&self, context: impl Hash, entry: &[u8]) -> u64 {
        let mut hasher = self.key.build_hasher();
        context.hash(&mut hasher);
        hasher.write(entry);
        hasher.finish()
    }

    /// What the entry of this digest was at the last look.
    pub fn get(&self, digest: u64) -> Option<&Cached> {
        self.last.known.get(&digest)
    }

    /// Keeps what an entry of this look is.
    pub fn keep(&mut self, digest: u64, message: Cached) {
        const ENTRY: usize = in_map(size_of::<(u64, Cached)>());
        let id = allocation(message.id.len());
        // Two looks are held at the same time.
        let has_room = self.now.bytes + ENTRY + id <= self.bound / 2;
        let has_room = has_room && self.now.known.len() < Self::MESSAGES;
        if has_room && self.now.known.insert(digest, message).is_none() {
            self.now.bytes += ENTRY + id;
        }
    }

    /// Ends a look: what was not in it is forgotten.
    pub fn end_look(&mut self) {
        self.last = std::mem::take(&mut self.now);
    }

    /// About how many bytes it takes.
    pub const fn bytes(&self) -> usize {
        self.last.bytes + self.now.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_looks_together_stay_within_the_bound() {
        const BOUND: usize = 16 << 10;
        let mut cache = LookCache::new(BOUND);
        let mut kept = 0;
        for look in 0..3 {
            for number in 0..1_000_u64 {
                let message = Cached {
                    id: format!("order-{number}").into(),
                    queue: "celery".into(),
                    attempt: 0,
                    state: MessageState::Ready,
                    redelivered: false,
                };
                cache.keep(number, message);
            }
            assert!(cache.bytes() <= BOUND, "{} bytes at look {look}", cache.bytes());
            cache.end_look();
            kept = (0..1_000).filter(|digest| cache.get(*digest).is_some()).count();
        }
        assert!(kept > 20, "{kept} messages are known at the next look");
    }
}

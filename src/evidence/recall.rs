//! The messages of the last look at a broker, by what they are made of: most of
//! a queue lies there again at the next look, and is not read anew.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::model::{Message, MessageState};

/// What the entries of the last look were, and those of this one so far.
///
/// An entry is known by a hash of 64 bits whose key nobody outside knows, so
/// that nobody can make two that are taken for one.
#[derive(Default, Debug)]
pub struct Recall {
    key: RandomState,
    last: FxHashMap<u64, Recalled>,
    now: FxHashMap<u64, Recalled>,
}

/// As much of a message as a second sight of it needs.
#[derive(Clone, Debug)]
pub struct Recalled {
    pub id: Box<str>,
    pub queue: Arc<str>,
    pub attempt: u32,
    pub state: MessageState,
    pub redelivered: bool,
}

impl Recalled {
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

impl Recall {
    /// How many messages are kept: more than a look of a usual size reads, in
    /// about 3 MB.
    const MESSAGES: usize = 20_000;

    /// The digest of an entry, with whatever else decides how it is read.
    pub fn digest(&self, context: impl Hash, entry: &[u8]) -> u64 {
        let mut hasher = self.key.build_hasher();
        context.hash(&mut hasher);
        hasher.write(entry);
        hasher.finish()
    }

    /// What the entry of this digest was at the last look.
    pub fn recall(&self, digest: u64) -> Option<&Recalled> {
        self.last.get(&digest)
    }

    /// Keeps what an entry of this look is.
    pub fn keep(&mut self, digest: u64, message: Recalled) {
        if self.now.len() < Self::MESSAGES {
            self.now.insert(digest, message);
        }
    }

    /// Ends a look: what was not in it is forgotten.
    pub fn end_look(&mut self) {
        self.last = std::mem::take(&mut self.now);
    }
}

//! How much a watch reads of a broker.

/// How much a look reads, and how the application's names are made.
#[derive(Clone, Debug)]
pub struct WatchOptions {
    /// The most messages of one list (a queue has one for each priority in
    /// use), and of a hash `unacked`.
    pub entries: u64,
    /// About the most bytes of all messages of a look. A single message may be
    /// larger: Redis gives no length of it beforehand.
    pub bytes: u64,
    /// About the most bytes that are held of the names of keys, and that asking
    /// for each of them takes.
    pub keys: usize,
    /// The most results of a look. Of more ids that are asked for, the others
    /// have their turn at the next looks.
    pub results: usize,
    /// `global_keyprefix` of the broker, where it is known; the bindings show
    /// it otherwise.
    pub key_prefix: Option<String>,
    /// `global_keyprefix` of the result backend, which has one of its own.
    pub result_prefix: String,
}

impl Default for WatchOptions {
    fn default() -> Self {
        Self {
            entries: 1000,
            bytes: 8 << 20,
            keys: 32 << 20,
            results: 1000,
            key_prefix: None,
            result_prefix: String::new(),
        }
    }
}

//! How much a watch reads of a broker.

/// How much a look reads, and the prefixes of the application's keys.
#[derive(Clone, Debug)]
pub struct WatchOptions {
    /// The most messages of one list and of a hash `unacked`. A queue has one list for
    /// each priority in use.
    pub entries: u64,
    /// About the most bytes that the messages of a look may have together. A single
    /// message may be larger, because Redis does not tell its length beforehand.
    pub bytes: u64,
    /// About the most bytes for the names of keys and for asking about each of them.
    pub keys: usize,
    /// The most results of a look. If more ids are asked for, the rest have their turn at
    /// the next looks.
    pub results: usize,
    /// `global_keyprefix` of the broker, where it is known. Otherwise the bindings show
    /// it.
    pub key_prefix: Option<String>,
    /// `global_keyprefix` of the result backend, which is a separate setting.
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

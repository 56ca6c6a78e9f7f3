//! The keys and their values.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// The most bytes of keys and values.
pub const CAPACITY: usize = 64 << 20;

pub type Bytes = Vec<u8>;

#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    Text(Bytes),
    List(VecDeque<Bytes>),
    Hash(BTreeMap<Bytes, Bytes>),
    Set(BTreeSet<Bytes>),
    Sorted(BTreeMap<Bytes, f64>),
}

impl Value {
    /// The type's name, as `SCAN` has it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::List(_) => "list",
            Self::Hash(_) => "hash",
            Self::Set(_) => "set",
            Self::Sorted(_) => "zset",
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Text(_) => false,
            Self::List(list) => list.is_empty(),
            Self::Hash(hash) => hash.is_empty(),
            Self::Set(set) => set.is_empty(),
            Self::Sorted(sorted) => sorted.is_empty(),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::List(list) => list.iter().map(Vec::len).sum(),
            Self::Hash(hash) => hash.iter().map(|(field, value)| field.len() + value.len()).sum(),
            Self::Set(set) => set.iter().map(Vec::len).sum(),
            Self::Sorted(sorted) => sorted.keys().map(|member| member.len() + 8).sum(),
        }
    }
}

#[derive(Clone, Debug)]
struct Entry {
    value: Value,
    /// Since the Unix epoch.
    expires: Option<Duration>,
}

/// A type that a value can be.
pub trait Kind: Default {
    fn wrap(self) -> Value;
    fn of(value: &Value) -> Option<&Self>;
    fn of_mut(value: &mut Value) -> Option<&mut Self>;
}

macro_rules! kind {
    ($type:ty, $variant:ident) => {
        impl Kind for $type {
            fn wrap(self) -> Value {
                Value::$variant(self)
            }
            fn of(value: &Value) -> Option<&Self> {
                if let Value::$variant(value) = value { Some(value) } else { None }
            }
            fn of_mut(value: &mut Value) -> Option<&mut Self> {
                if let Value::$variant(value) = value { Some(value) } else { None }
            }
        }
    };
}
kind!(Bytes, Text);
kind!(VecDeque<Bytes>, List);
kind!(BTreeMap<Bytes, Bytes>, Hash);
kind!(BTreeSet<Bytes>, Set);
kind!(BTreeMap<Bytes, f64>, Sorted);

/// How much longer a key lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lifetime {
    NoSuchKey,
    /// It never expires.
    Unlimited,
    Left(Duration),
}

/// The key holds a value of another type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WrongType;

/// One database.
#[derive(Default, Debug)]
pub struct Store {
    keys: BTreeMap<Bytes, Entry>,
    /// The time of the command at hand, since the Unix epoch.
    pub now: Duration,
    /// Bytes written since all were counted.
    written: usize,
    /// When the first key expires, or earlier.
    next_expiry: Option<Duration>,
}

impl Store {
    /// Sets the time, and forgets what has expired by then.
    pub fn at(&mut self, now: Duration) {
        self.now = now;
        if self.next_expiry.is_some_and(|next| next <= now) {
            self.keys.retain(|_, entry| entry.expires.is_none_or(|expires| expires > now));
            self.next_expiry = self.keys.values().filter_map(|entry| entry.expires).min();
        }
    }

    fn expires_at(&mut self, expires: Option<Duration>) {
        self.next_expiry = self.next_expiry.into_iter().chain(expires).min();
    }

    /// Whether this many more bytes fit.
    pub fn has_room(&mut self, bytes: usize) -> bool {
        self.written = self.written.saturating_add(bytes);
        if self.written > CAPACITY {
            let held = self.keys.iter().map(|(key, entry)| key.len() + entry.value.bytes()).sum::<usize>();
            self.written = held.saturating_add(bytes);
        }
        self.written <= CAPACITY
    }

    pub fn get<T: Kind>(&self, key: &[u8]) -> Result<Option<&T>, WrongType> {
        self.keys.get(key).map(|entry| T::of(&entry.value).ok_or(WrongType)).transpose()
    }

    /// Whether there is such a key.
    pub fn has(&self, key: &[u8]) -> bool {
        self.keys.contains_key(key)
    }

    /// Changes the value of a key. A missing value is created first, and an empty one is
    /// removed afterwards.
    pub fn change<T: Kind, R>(
        &mut self,
        key: &[u8],
        change: impl FnOnce(&mut T) -> R,
    ) -> Result<R, WrongType> {
        let entry = self
            .keys
            .entry(key.to_vec())
            .or_insert_with(|| Entry { value: T::default().wrap(), expires: None });
        let result = T::of_mut(&mut entry.value).map(change).ok_or(WrongType);
        if entry.value.is_empty() {
            self.keys.remove(key);
        }
        result
    }

    /// Puts a string under a key for that long, whatever lay there.
    pub fn set(&mut self, key: &[u8], text: Bytes, lifetime: Duration) {
        let expires = Some(self.now + lifetime);
        self.expires_at(expires);
        self.keys.insert(key.to_vec(), Entry { value: Value::Text(text), expires });
    }

    pub fn remove(&mut self, key: &[u8]) -> bool {
        self.keys.remove(key).is_some()
    }

    /// Sets how much longer a key lives; whether there is such a key.
    pub fn expire(&mut self, key: &[u8], lifetime: Duration) -> bool {
        let expires = Some(self.now + lifetime);
        self.expires_at(expires);
        self.keys.get_mut(key).map(|entry| entry.expires = expires).is_some()
    }

    /// How much longer a key lives.
    pub fn expires_in(&self, key: &[u8]) -> Lifetime {
        match self.keys.get(key).map(|entry| entry.expires) {
            None => Lifetime::NoSuchKey,
            Some(None) => Lifetime::Unlimited,
            Some(Some(expires)) => Lifetime::Left(expires.saturating_sub(self.now)),
        }
    }

    pub fn names(&self) -> impl Iterator<Item = (&Bytes, &Value)> {
        self.keys.iter().map(|(key, entry)| (key, &entry.value))
    }

    pub fn len(&self) -> usize {
        self.keys.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_emptied_is_gone_and_what_expires_too() {
        let mut store = Store::default();
        store.change(b"q", |list: &mut VecDeque<Bytes>| list.push_front(b"m".to_vec())).expect("a list");
        assert_eq!(store.get::<Bytes>(b"q"), Err(WrongType));
        store.change(b"q", |list: &mut VecDeque<Bytes>| list.pop_back()).expect("a list");
        assert_eq!(store.len(), 0);

        store.change(b"l", |list: &mut VecDeque<Bytes>| list.push_front(b"m".to_vec())).expect("a list");
        assert_eq!(store.expires_in(b"l"), Lifetime::Unlimited);
        let seconds = Duration::from_secs;
        store.set(b"k", b"v".to_vec(), seconds(5));
        store.at(seconds(4));
        assert_eq!(store.expires_in(b"k"), Lifetime::Left(seconds(1)));
        store.set(b"n", b"v".to_vec(), seconds(9));
        store.at(seconds(5));
        assert_eq!(store.expires_in(b"k"), Lifetime::NoSuchKey);
        assert!(store.expire(b"l", seconds(1)) && !store.expire(b"k", seconds(1)));
        store.at(seconds(6));
        assert_eq!((store.has(b"l"), store.has(b"n")), (false, true));
        store.at(seconds(4 + 9));
        assert_eq!(store.len(), 0);
    }

    #[test]
    fn it_holds_no_more_than_its_capacity_and_counts_what_was_replaced() {
        let mut store = Store::default();
        let large = vec![0; CAPACITY / 4];
        for round in 0..20 {
            assert!(store.has_room(large.len()), "round {round}");
            store.set(b"same", large.clone(), Duration::MAX / 2);
        }
        for (place, fits) in [(0, true), (1, true), (2, false)] {
            assert_eq!(store.has_room(large.len() + 1), fits, "at {place}");
            if fits {
                store.set(&[place], large.clone(), Duration::MAX / 2);
            }
        }
    }
}

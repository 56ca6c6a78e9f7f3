//! Maps and sets whose keys come from outside.
//!
//! Their hash has a different seed in each process, so that nobody can choose keys that
//! collide. Their order means nothing: a report must not depend on it.

/// A map from what comes from outside.
pub type Map<K, V> = hashbrown::HashMap<K, V>;

/// A set of what comes from outside.
pub type Set<T> = hashbrown::HashSet<T>;

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::*;

    #[test]
    fn no_two_maps_hash_alike() {
        let (one, other) = (Map::<u64, ()>::default(), Map::<u64, ()>::default());
        let differs = |key: u64| one.hasher().hash_one(key) != other.hasher().hash_one(key);
        assert!((0..8).any(differs), "the seed is the same");
    }
}

//! Maps and sets whose keys come from outside.
//!
//! Their hash has a different seed in each process, so that nobody can choose keys that
//! collide. Their order means nothing: a report must not depend on it.
//!
//! Where the crate is built for the targets of `fuzz/`, no hash has a seed: a target that is
//! given the same inputs then takes the same path through the code.

/// A map from what comes from outside.
pub type Map<K, V> = hashbrown::HashMap<K, V, MapHash>;

/// A set of what comes from outside.
pub type Set<T> = hashbrown::HashSet<T, MapHash>;

/// How the keys of maps and sets are hashed.
#[cfg(not(fuzzing))]
pub type MapHash = hashbrown::DefaultHashBuilder;
#[cfg(fuzzing)]
pub type MapHash = std::hash::BuildHasherDefault<rustc_hash::FxHasher>;

/// The hash of what is known by its hash alone: even whoever knows many hashes cannot tell
/// another.
#[cfg(not(fuzzing))]
pub type SecretHash = std::hash::RandomState;
#[cfg(fuzzing)]
pub type SecretHash = std::hash::BuildHasherDefault<std::hash::DefaultHasher>;

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

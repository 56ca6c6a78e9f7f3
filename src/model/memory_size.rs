//! About how many bytes values take in memory, so that what is held can be summed up while
//! it changes.

/// What an allocation of this many bytes takes: allocators round up.
pub const fn allocation(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { bytes.next_multiple_of(16) }
}

/// What a shared text takes: its bytes and two counters.
pub const fn shared(text: &str) -> usize {
    allocation(text.len() + 2 * size_of::<usize>())
}

/// What an entry of this many bytes takes in a hash map: control bytes, and room to grow. A
/// table is between half and seven eighths full.
pub const fn in_map(bytes: usize) -> usize {
    (bytes + 1) * 3 / 2
}

/// What an entry of this many bytes takes in a `BTreeMap` or `BTreeSet`: nodes have room
/// for eleven entries, and at least six of them are used.
pub const fn in_tree(bytes: usize) -> usize {
    bytes * 3 / 2 + 8
}

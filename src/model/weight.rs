//! About how many bytes values take in memory, so that what is held can be
//! added up while it comes and goes.

/// What an allocation of so many bytes takes: allocators round up.
pub const fn allocation(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { bytes.next_multiple_of(16) }
}

/// What a shared text takes: its bytes behind two counters.
pub const fn shared(text: &str) -> usize {
    allocation(text.len() + 2 * size_of::<usize>())
}

/// What an entry of so many bytes takes in a hash map: control bytes, and room
/// to grow. Between a half and seven eighths of a table are in use.
pub const fn in_map(bytes: usize) -> usize {
    (bytes + 1) * 3 / 2
}

/// What an entry of so many bytes takes in a `BTreeMap` or `BTreeSet`: its nodes
/// have room for eleven, of which six at least are in use.
pub const fn in_tree(bytes: usize) -> usize {
    bytes * 3 / 2 + 8
}

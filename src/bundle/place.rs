//! A place in a file.

/// A place in a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// Counted from 1.
    Line(usize),
    /// For a file without lines. Counted from 0, decompressed.
    Byte(u64),
}

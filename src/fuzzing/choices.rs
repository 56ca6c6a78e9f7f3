//! Choices, made by the bytes of a fuzzer.

use arbitrary::{Arbitrary, Unstructured};

/// Choices, made by bytes. Once those are used up, each choice is the first.
pub struct Choices<'b>(Unstructured<'b>);

impl<'b> Choices<'b> {
    pub fn by(bytes: &'b [u8]) -> Self {
        Self(Unstructured::new(bytes))
    }

    /// A number below `count`, which is not 0.
    pub fn below(&mut self, count: usize) -> usize {
        self.0.int_in_range(0..=count - 1).unwrap_or(0)
    }

    /// One of these, of which there is at least one.
    pub fn one_of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    /// True for one in so many.
    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == count - 1
    }

    pub fn any<T: Arbitrary<'b> + Default>(&mut self) -> T {
        self.0.arbitrary().unwrap_or_default()
    }

    /// A text of printable ASCII.
    pub fn text(&mut self, longest: usize) -> String {
        (0..self.below(longest + 1)).map(|_| char::from(b' ' + self.any::<u8>() % 95)).collect()
    }

    /// So many bytes, or as many as are left.
    pub fn bytes(&mut self, longest: usize) -> &'b [u8] {
        let count = self.below(longest + 1).min(self.0.len());
        self.0.bytes(count).unwrap_or_default()
    }

    /// All bytes that are left.
    pub fn rest(self) -> &'b [u8] {
        self.0.take_rest()
    }

    /// Shuffles a list.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for place in (1..list.len()).rev() {
            list.swap(place, self.below(place + 1));
        }
    }
}

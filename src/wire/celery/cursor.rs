//! A cursor over bytes, shared by the readers of pickle and `MessagePack`.

/// Where the bytes are broken, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Break {
    pub at: usize,
    pub why: &'static str,
}

pub(super) type Step<T> = Result<T, Break>;

pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub const fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub const fn at(&self) -> usize {
        self.at
    }

    pub const fn fail<T>(&self, why: &'static str) -> Step<T> {
        Err(Break { at: self.at, why })
    }

    pub fn take(&mut self, count: usize) -> Step<&'a [u8]> {
        let Some(taken) = self.at.checked_add(count).and_then(|end| self.bytes.get(self.at..end)) else {
            return self.fail("it ends early");
        };
        self.at += count;
        Ok(taken)
    }

    pub fn byte(&mut self) -> Step<u8> {
        self.array().map(|[byte]| byte)
    }

    /// A fixed number of bytes, given by the type.
    pub fn array<const COUNT: usize>(&mut self) -> Step<[u8; COUNT]> {
        Ok(self.take(COUNT)?.try_into().expect("as many bytes were taken"))
    }

    /// A little-endian number of `width` bytes, eight at most.
    pub fn little_endian(&mut self, width: usize) -> Step<u64> {
        Ok(self.take(width)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// A big-endian number of `width` bytes, eight at most.
    pub fn big_endian(&mut self, width: usize) -> Step<u64> {
        Ok(self.take(width)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// A line without its end; empty if it is not UTF-8.
    pub fn line(&mut self) -> Step<&'a str> {
        let rest = &self.bytes[self.at..];
        let Some(end) = memchr::memchr(b'\n', rest) else { return self.fail("it ends early") };
        self.at += end + 1;
        Ok(std::str::from_utf8(&rest[..end]).unwrap_or_default())
    }
}

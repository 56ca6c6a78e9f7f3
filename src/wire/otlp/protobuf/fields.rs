//! The wire format of protobuf: the fields of a message, one after the other
//! (<https://protobuf.dev/programming-guides/encoding/>).

use smallvec::SmallVec;

use crate::wire::otlp::DecodeError;

pub(super) type Step<T> = Result<T, DecodeError>;

/// A field's value, as far as its wire type tells. Bytes come with their offset in the
/// request, for errors.
pub enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8], usize),
    /// A group, which was skipped: OTLP has none, and an unknown field is no reason to
    /// refuse the rest.
    Group,
}

/// The fields of a message, one after the other.
pub struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where the message begins in the request.
    base: usize,
}

impl<'a> Fields<'a> {
    pub const fn of(bytes: &'a [u8], base: usize) -> Self {
        Self { bytes, at: 0, base }
    }

    fn fail<T>(&mut self, why: &'static str) -> Step<T> {
        let at = self.base + self.at;
        // After a break nothing has a meaning.
        self.at = self.bytes.len();
        Err(DecodeError::Protobuf { at, why })
    }

    fn varint(&mut self) -> Step<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let Some(byte) = self.bytes.get(self.at) else {
                return self.fail("a number ends early");
            };
            self.at += 1;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        self.fail("a number of more than 64 bits")
    }

    fn take(&mut self, count: usize) -> Step<&'a [u8]> {
        match self.at.checked_add(count).and_then(|end| self.bytes.get(self.at..end)) {
            Some(taken) => {
                self.at += count;
                Ok(taken)
            }
            None => self.fail("a field is longer than its message"),
        }
    }

    /// A field's number and its wire type.
    #[inline]
    fn tag(&mut self) -> Step<(u32, u64)> {
        let tag = self.varint()?;
        match u32::try_from(tag >> 3).unwrap_or(0) {
            0 => self.fail("a field of the number 0"),
            number => Ok((number, tag & 7)),
        }
    }

    #[inline]
    fn field(&mut self) -> Step<(u32, Value<'a>)> {
        let (number, wire) = self.tag()?;
        let value = match wire {
            3 => {
                self.pass_group(number)?;
                Value::Group
            }
            _ => self.value(wire)?,
        };
        Ok((number, value))
    }

    /// A value of any wire type except a group.
    #[inline]
    fn value(&mut self, wire: u64) -> Step<Value<'a>> {
        let value = match wire {
            0 => Value::Number(self.varint()?),
            1 => Value::Number(u64::from_le_bytes(self.take(8)?.try_into().expect("eight bytes were taken"))),
            2 => {
                let length = self.varint()?;
                let at = self.base + self.at;
                match usize::try_from(length) {
                    Ok(length) => Value::Bytes(self.take(length)?, at),
                    Err(_) => return self.fail("a field is longer than its message"),
                }
            }
            5 => Value::Number(u64::from(u32::from_le_bytes(
                self.take(4)?.try_into().expect("four bytes were taken"),
            ))),
            4 => return self.fail("a group ends that never began"),
            _ => return self.fail("an unknown wire type"),
        };
        Ok(value)
    }

    /// Skips to the end of a group, with the groups inside it. It does not recurse, and the
    /// number of open groups is limited as in protobuf's own parsers.
    fn pass_group(&mut self, number: u32) -> Step<()> {
        const DEEPEST: usize = 100;
        let mut open: SmallVec<[u32; 8]> = SmallVec::from_slice(&[number]);
        while let Some(innermost) = open.last().copied() {
            let (number, wire) = self.tag()?;
            match wire {
                3 if open.len() >= DEEPEST => return self.fail("groups are nested too deep"),
                3 => open.push(number),
                4 if number == innermost => {
                    open.pop();
                }
                4 => return self.fail("a group ends that never began"),
                _ => {
                    self.value(wire)?;
                }
            }
        }
        Ok(())
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Step<(u32, Value<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        (self.at < self.bytes.len()).then(|| self.field())
    }
}

//! Reads replies as Redis writes them, in version 2 and 3 of its protocol, within
//! limits: <https://redis.io/docs/latest/develop/reference/protocol-spec/>.
//!
//! By hand, because a server is as hostile as anything else outside, and no crate limits
//! what it accepts from one. The driver `redis` (1.8) believes whatever length a server
//! announces, keeps all of a reply, and waits for as long as bytes come. Here a reply has
//! at most 256 MiB and a million values, and nests eight deep. A value over 64 MiB is
//! skipped, so that one message hides no others. `resp/tests.rs` compares the two readers
//! on what both accept.
//!
//! tracelink does not ask for another protocol version than the one that a connection
//! begins with (2). A proxy may have asked for version 3 on its own, so both are read.
//! Streamed strings and aggregates, which version 3 describes and no server sends, are
//! not.

use std::io::{self, BufRead, Read};

use super::reply::{Reply, ServerError};

/// The most bytes of one reply. A page of a queue has about a megabyte.
const LONGEST: u64 = 256 << 20;
/// The longest value that is kept, in bytes. A longer one is skipped.
const KEPT: u64 = 64 << 20;
/// The longest value that Redis can hold, in bytes:
/// <https://redis.io/docs/latest/develop/data-types/strings/>.
const HELD: u64 = 512 << 20;
/// The longest line, in bytes: a number, a status or an error.
const LINE: u64 = 64 << 10;
/// The most values in one reply, and in the pushes before it.
const VALUES: usize = 1 << 20;
/// How deep replies may nest. Those of a scan have three levels.
const DEPTH: usize = 8;
/// How many bytes are reserved for a value before any of it has come.
const RESERVED: usize = 64 << 10;

/// Why there is no reply.
#[derive(Debug)]
pub enum ReplyError {
    Io(io::Error),
    /// It did not come in time, or so slowly that it would never be complete.
    TimedOut,
    /// It is longer than anything that was asked for.
    TooLong,
    /// Redis does not write such a reply.
    NotRedis,
}

impl From<io::Error> for ReplyError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::TimedOut,
            _ => Self::Io(error),
        }
    }
}

/// A reply, and how many of its values were too long to keep. Each of those is empty.
pub fn read(reader: &mut impl BufRead) -> Result<(Reply, u64), ReplyError> {
    let mut reading = Reading { reader, room: LONGEST, values: VALUES, passed_over: 0 };
    let reply = reading.reply()?;
    Ok((reply, reading.passed_over))
}

/// A reply that is being read.
struct Reading<'r, R> {
    reader: &'r mut R,
    /// Bytes and values that it may still have.
    room: u64,
    values: usize,
    passed_over: u64,
}

impl<R: BufRead> Reading<'_, R> {
    /// The next reply. Pushes before it are skipped.
    fn reply(&mut self) -> Result<Reply, ReplyError> {
        loop {
            let line = self.line()?;
            let Some(count) = line.strip_prefix(b">") else { return self.value(&line, 0) };
            self.skip(count, 1, 0)?;
        }
    }

    /// The value that begins with this line.
    fn value(&mut self, line: &[u8], depth: usize) -> Result<Reply, ReplyError> {
        self.values = self.values.checked_sub(1).ok_or(ReplyError::TooLong)?;
        let (kind, rest) = line.split_first().ok_or(ReplyError::NotRedis)?;
        match kind {
            b'+' => Ok(Reply::Status(text(rest)?.to_owned())),
            b'-' => Ok(Reply::Error(ServerError::parse(text(rest)?))),
            b':' => Ok(Reply::Integer(number(rest)?)),
            b'$' | b'*' if rest == b"-1" => Ok(Reply::Null),
            b'$' => Ok(Reply::Bulk(self.bulk(rest)?)),
            b'*' => Ok(Reply::Array(self.values(count(rest)?, depth)?)),
            // Version 3 only, from here on.
            b'_' if rest.is_empty() => Ok(Reply::Null),
            b'#' => match rest {
                b"t" => Ok(Reply::Boolean(true)),
                b"f" => Ok(Reply::Boolean(false)),
                _ => Err(ReplyError::NotRedis),
            },
            // Rust parses every form that is allowed: `inf`, `-inf`, `nan`, `1e3`.
            b',' => Ok(Reply::Double(number(rest)?)),
            b'(' => Ok(Reply::BigNumber(big_number(rest)?.to_owned())),
            b'!' => Ok(Reply::Error(ServerError::parse(&String::from_utf8_lossy(&self.bulk(rest)?)))),
            b'=' => {
                let mut bytes = self.bulk(rest)?;
                // A string that was skipped is empty here.
                match bytes.get(3) {
                    Some(b':') => drop(bytes.drain(..4)),
                    None if bytes.is_empty() && self.passed_over > 0 => {}
                    _ => return Err(ReplyError::NotRedis),
                }
                Ok(Reply::Bulk(bytes))
            }
            b'~' => Ok(Reply::Set(self.values(count(rest)?, depth)?)),
            b'%' => {
                let mut pairs = Vec::new();
                for _ in 0..count(rest)? {
                    pairs.push((self.inner(depth)?, self.inner(depth)?));
                }
                Ok(Reply::Map(pairs))
            }
            b'|' => {
                self.skip(rest, 2, depth)?;
                self.inner(depth)
            }
            _ => Err(ReplyError::NotRedis),
        }
    }

    /// A value within another.
    fn inner(&mut self, depth: usize) -> Result<Reply, ReplyError> {
        if depth == DEPTH {
            return Err(ReplyError::NotRedis);
        }
        let line = self.line()?;
        self.value(&line, depth + 1)
    }

    /// Reads this many values. An announced length is believed only as far as values
    /// come.
    fn values(&mut self, count: u64, depth: usize) -> Result<Vec<Reply>, ReplyError> {
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(self.inner(depth)?);
        }
        Ok(values)
    }

    /// Skips an aggregate that has `each` values for each that it announces.
    fn skip(&mut self, announced: &[u8], each: u64, depth: usize) -> Result<(), ReplyError> {
        self.values = self.values.checked_sub(1).ok_or(ReplyError::TooLong)?;
        for _ in 0..count(announced)?.saturating_mul(each) {
            self.inner(depth)?;
        }
        Ok(())
    }

    fn spend(&mut self, bytes: u64) -> Result<(), ReplyError> {
        self.room = self.room.checked_sub(bytes).ok_or(ReplyError::TooLong)?;
        Ok(())
    }

    /// A line without its end.
    fn line(&mut self) -> Result<Vec<u8>, ReplyError> {
        let mut line = Vec::new();
        let length = (&mut *self.reader).take(LINE).read_until(b'\n', &mut line)?;
        self.spend(length as u64)?;
        match line.strip_suffix(b"\r\n") {
            Some(whole) => {
                line.truncate(whole.len());
                Ok(line)
            }
            None if length as u64 == LINE || line.ends_with(b"\n") => Err(ReplyError::NotRedis),
            None => Err(ReplyError::Io(io::ErrorKind::UnexpectedEof.into())),
        }
    }

    fn bulk(&mut self, length: &[u8]) -> Result<Vec<u8>, ReplyError> {
        let length = count(length)?;
        let is_kept = length <= KEPT && length <= self.room;
        let mut bytes = Vec::new();
        let came = if is_kept {
            self.spend(length)?;
            bytes.reserve(usize::try_from(length).unwrap_or(RESERVED).min(RESERVED));
            (&mut *self.reader).take(length).read_to_end(&mut bytes)? as u64
        } else if length <= HELD {
            self.passed_over += 1;
            io::copy(&mut (&mut *self.reader).take(length), &mut io::sink())?
        } else {
            return Err(ReplyError::TooLong);
        };
        if came != length {
            return Err(ReplyError::Io(io::ErrorKind::UnexpectedEof.into()));
        }
        let mut end = [0; 2];
        self.reader.read_exact(&mut end)?;
        if end == *b"\r\n" { Ok(bytes) } else { Err(ReplyError::NotRedis) }
    }
}

fn text(bytes: &[u8]) -> Result<&str, ReplyError> {
    std::str::from_utf8(bytes).map_err(|_| ReplyError::NotRedis)
}

fn number<T: std::str::FromStr>(bytes: &[u8]) -> Result<T, ReplyError> {
    text(bytes)?.parse().map_err(|_| ReplyError::NotRedis)
}

/// A length that a server announces.
fn count(bytes: &[u8]) -> Result<u64, ReplyError> {
    if bytes.first().is_some_and(u8::is_ascii_digit) { number(bytes) } else { Err(ReplyError::NotRedis) }
}

fn big_number(bytes: &[u8]) -> Result<&str, ReplyError> {
    let digits = bytes.strip_prefix(b"-").or_else(|| bytes.strip_prefix(b"+")).unwrap_or(bytes);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(ReplyError::NotRedis);
    }
    text(bytes)
}

#[cfg(test)]
mod tests;

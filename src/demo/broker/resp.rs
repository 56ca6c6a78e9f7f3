//! Redis's protocol: <https://redis.io/docs/latest/develop/reference/protocol-spec/>.

use std::io::{self, BufRead, Read, Write};

/// The most arguments of a command, and the most bytes of all of them.
const ARGUMENTS: usize = 1 << 16;
const BYTES: usize = 32 << 20;

/// The answer to a command, in version 2 of the protocol.
#[derive(Clone, PartialEq, Debug)]
pub enum Reply {
    Simple(&'static str),
    /// A code in capitals, a space, and what is wrong.
    Error(String),
    Int(i64),
    Bulk(Vec<u8>),
    Nil,
    /// What a blocking command answers when nothing came.
    NilList,
    List(Vec<Reply>),
}

impl Reply {
    pub const OK: Self = Self::Simple("OK");

    pub fn bulk(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Bulk(bytes.into())
    }

    /// Of a number of things.
    pub fn count(count: usize) -> Self {
        Self::Int(i64::try_from(count).unwrap_or(i64::MAX))
    }

    pub fn list(bytes: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self::List(bytes.into_iter().map(Self::Bulk).collect())
    }

    /// The answer to a scan that finds everything in its first step.
    pub fn whole_scan(found: Self) -> Self {
        Self::List(vec![Self::bulk("0"), found])
    }

    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Simple(text) => write!(out, "+{text}\r\n"),
            Self::Error(text) => write!(out, "-{text}\r\n"),
            Self::Int(number) => write!(out, ":{number}\r\n"),
            Self::Bulk(bytes) => {
                write!(out, "${}\r\n", bytes.len())?;
                out.write_all(bytes)?;
                out.write_all(b"\r\n")
            }
            Self::Nil => out.write_all(b"$-1\r\n"),
            Self::NilList => out.write_all(b"*-1\r\n"),
            Self::List(parts) => {
                write!(out, "*{}\r\n", parts.len())?;
                parts.iter().try_for_each(|part| part.write(out))
            }
        }
    }
}

/// Reads one command: its name and its arguments. `None` at the end.
///
/// # Errors
///
/// `InvalidData` if it is no command; the connection is of no use then.
pub fn read_command(input: &mut impl BufRead) -> io::Result<Option<Vec<Vec<u8>>>> {
    let Some(count) = read_length(input, b'*')? else { return Ok(None) };
    if count > ARGUMENTS {
        return Err(invalid("invalid multibulk length"));
    }
    let mut words = Vec::new();
    let mut room = BYTES;
    for _ in 0..count {
        let len = read_length(input, b'$')?.ok_or_else(|| invalid("unexpected end"))?;
        room = room.checked_sub(len).ok_or_else(|| invalid("invalid bulk length"))?;
        let mut word = Vec::new();
        input.take(len as u64).read_to_end(&mut word)?;
        let mut end = [0; 2];
        input.read_exact(&mut end)?;
        if word.len() != len || end != *b"\r\n" {
            return Err(invalid("expected CRLF"));
        }
        words.push(word);
    }
    Ok(Some(words))
}

fn read_length(input: &mut impl BufRead, sign: u8) -> io::Result<Option<usize>> {
    const LONGEST: u64 = 32;
    let mut line = Vec::new();
    if input.take(LONGEST).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    let number = line.strip_prefix(&[sign]).and_then(|line| line.strip_suffix(b"\r\n"));
    let number = number.and_then(|number| std::str::from_utf8(number).ok()?.parse().ok());
    number.map(Some).ok_or_else(|| invalid("expected a length"))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_written_with_its_length() {
        let mut out = Vec::new();
        let parts = vec![Reply::bulk("a\r\n"), Reply::Int(1), Reply::Nil, Reply::NilList, Reply::OK];
        Reply::List(parts).write(&mut out).expect("a vector takes all");
        assert_eq!(out, b"*5\r\n$3\r\na\r\n\r\n:1\r\n$-1\r\n*-1\r\n+OK\r\n");
    }

    #[test]
    fn what_is_no_command_is_refused_before_memory_is_taken() {
        let read = |bytes: &[u8]| read_command(&mut &*bytes);
        assert_eq!(read(b"").expect("the end"), None);
        let get = read(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n").expect("a command");
        assert_eq!(get, Some(vec![b"GET".to_vec(), b"k".to_vec()]));
        for hostile in [
            &b"GET k\r\n"[..],
            b"*99999999999\r\n",
            b"*-1\r\n",
            b"*1\r\n$99999999999\r\n",
            b"*1\r\n$3\r\nGE",
            b"*1\r\n$1\r\nabc",
            b"*1\r\n:1\r\n",
        ] {
            assert!(read(hostile).is_err(), "{}", String::from_utf8_lossy(hostile));
        }
    }
}

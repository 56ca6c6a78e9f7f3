//! The commands that tracelink can send to Redis.

use std::borrow::Cow;

/// How many keys or fields Redis looks at for one step of a scan.
pub const SCAN_STEP: u64 = 1000;

/// A command that changes nothing: <https://redis.io/docs/latest/commands/>.
///
/// A connection is read-only because no command that writes is among these;
/// `tests/broker/readonly.rs` checks that.
#[derive(Clone, Copy, Debug)]
pub enum ReadCommand<'a> {
    Time,
    /// The number of keys in the database.
    KeyCount,
    /// The databases that hold keys, in `INFO keyspace`.
    Keyspace,
    /// A step through the names of all keys of a type.
    Scan {
        cursor: u64,
        kind: KeyKind,
    },
    /// Milliseconds to live.
    TimeToLive(&'a [u8]),
    ListLength(&'a [u8]),
    /// Entries by index, both ends included; -1 is the last.
    ListRange {
        key: &'a [u8],
        first: i64,
        last: i64,
    },
    ListEntry {
        key: &'a [u8],
        index: i64,
    },
    HashLength(&'a [u8]),
    HashScan {
        key: &'a [u8],
        cursor: u64,
    },
    SetScan {
        key: &'a [u8],
        cursor: u64,
    },
    SortedLength(&'a [u8]),
    /// Members by rank with their scores, both ends included, the lowest first.
    SortedRange {
        key: &'a [u8],
        first: i64,
        last: i64,
    },
    StringLength(&'a [u8]),
    Strings(&'a [&'a [u8]]),
}

/// The types of keys that scans look for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyKind {
    List,
    Set,
}

impl<'a> ReadCommand<'a> {
    /// The command's name, as an ACL has it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Time => "TIME",
            Self::KeyCount => "DBSIZE",
            Self::Keyspace => "INFO",
            Self::Scan { .. } => "SCAN",
            Self::TimeToLive(_) => "PTTL",
            Self::ListLength(_) => "LLEN",
            Self::ListRange { .. } => "LRANGE",
            Self::ListEntry { .. } => "LINDEX",
            Self::HashLength(_) => "HLEN",
            Self::HashScan { .. } => "HSCAN",
            Self::SetScan { .. } => "SSCAN",
            Self::SortedLength(_) => "ZCARD",
            Self::SortedRange { .. } => "ZRANGE",
            Self::StringLength(_) => "STRLEN",
            Self::Strings(_) => "MGET",
        }
    }

    /// The key that it reads, where it reads one.
    pub const fn key(&self) -> Option<&'a [u8]> {
        match self {
            Self::Time | Self::KeyCount | Self::Keyspace | Self::Scan { .. } | Self::Strings(_) => None,
            Self::TimeToLive(key)
            | Self::ListLength(key)
            | Self::ListRange { key, .. }
            | Self::ListEntry { key, .. }
            | Self::HashLength(key)
            | Self::HashScan { key, .. }
            | Self::SetScan { key, .. }
            | Self::SortedLength(key)
            | Self::SortedRange { key, .. }
            | Self::StringLength(key) => Some(key),
        }
    }

    /// The type that the key must have.
    pub const fn expects(&self) -> &'static str {
        match self {
            Self::ListLength(_) | Self::ListRange { .. } | Self::ListEntry { .. } => "list",
            Self::HashLength(_) | Self::HashScan { .. } => "hash",
            Self::SetScan { .. } => "set",
            Self::SortedLength(_) | Self::SortedRange { .. } => "sorted set",
            _ => "string",
        }
    }

    /// Appends the command in the form that goes over the wire.
    pub(super) fn write(&self, wire: &mut Vec<u8>) {
        let mut words: Vec<Cow<'_, [u8]>> = vec![Cow::Borrowed(self.name().as_bytes())];
        words.extend(self.key().map(Cow::Borrowed));
        let number = |number: &dyn ToString| Cow::Owned(number.to_string().into_bytes());
        let word = |word: &'static str| Cow::Borrowed(word.as_bytes());
        match *self {
            Self::Scan { cursor, kind } => {
                let kind = match kind {
                    KeyKind::List => "list",
                    KeyKind::Set => "set",
                };
                words.extend([number(&cursor), word("COUNT"), number(&SCAN_STEP), word("TYPE"), word(kind)]);
            }
            // The values of a hash are envelopes: one step is a page of them.
            Self::HashScan { cursor, .. } | Self::SetScan { cursor, .. } => {
                words.extend([number(&cursor), word("COUNT"), number(&(SCAN_STEP / 4))]);
            }
            Self::ListRange { first, last, .. } => words.extend([number(&first), number(&last)]),
            Self::SortedRange { first, last, .. } => {
                words.extend([number(&first), number(&last), word("WITHSCORES")]);
            }
            Self::Keyspace => words.push(word("keyspace")),
            Self::ListEntry { index, .. } => words.push(number(&index)),
            Self::Strings(keys) => words.extend(keys.iter().map(|key| Cow::Borrowed(*key))),
            Self::Time
            | Self::KeyCount
            | Self::TimeToLive(_)
            | Self::ListLength(_)
            | Self::HashLength(_)
            | Self::SortedLength(_)
            | Self::StringLength(_) => {}
        }
        pack(&words, wire);
    }
}

/// Appends a command as clients write it, an array of bulk strings:
/// <https://redis.io/docs/latest/develop/reference/protocol-spec/#sending-commands-to-a-redis-server>.
pub(super) fn pack(words: &[impl AsRef<[u8]>], wire: &mut Vec<u8>) {
    wire.extend(format!("*{}\r\n", words.len()).into_bytes());
    for word in words {
        let word = word.as_ref();
        wire.extend(format!("${}\r\n", word.len()).into_bytes());
        wire.extend_from_slice(word);
        wire.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_go_over_the_wire_as_redis_documents_them() {
        let words = |command: ReadCommand<'_>| {
            let mut wire = Vec::new();
            command.write(&mut wire);
            let text = String::from_utf8(wire).expect("these have no binary keys");
            let words: Vec<_> = text.split("\r\n").filter(|line| !line.starts_with(['*', '$'])).collect();
            words.join(" ").trim_end().to_owned()
        };
        assert_eq!(words(ReadCommand::Time), "TIME");
        assert_eq!(words(ReadCommand::Keyspace), "INFO keyspace");
        assert_eq!(words(ReadCommand::Scan { cursor: 7, kind: KeyKind::Set }), "SCAN 7 COUNT 1000 TYPE set");
        assert_eq!(words(ReadCommand::ListRange { key: b"q", first: -9, last: -1 }), "LRANGE q -9 -1");
        assert_eq!(words(ReadCommand::HashScan { key: b"h", cursor: 0 }), "HSCAN h 0 COUNT 250");
        assert_eq!(
            words(ReadCommand::SortedRange { key: b"z", first: 0, last: 9 }),
            "ZRANGE z 0 9 WITHSCORES"
        );
        assert_eq!(words(ReadCommand::Strings(&[b"a", b"b"])), "MGET a b");
    }

    #[test]
    fn any_bytes_are_packed() {
        let mut wire = Vec::new();
        pack(&[&b"LLEN"[..], b"a\r\n\xff", b""], &mut wire);
        assert_eq!(wire, b"*3\r\n$4\r\nLLEN\r\n$4\r\na\r\n\xff\r\n$0\r\n\r\n");
    }
}

//! The broker snapshot, format `broker/1`: JSON lines, a head and then one line for each
//! key, or several lines for a long list (`docs/interface.md`).
//!
//! The format is the project's own: a Redis dump (RDB) is always of a whole server, and
//! nobody can read it, or remove a secret from it, with an editor.
//!
//! What `MONITOR` showed between two looks is in a separate file, in the same lines with a
//! time each. It is not a look: what is not in it may have been there.

mod read;
mod write;

use std::borrow::Cow;

pub use self::read::{read_head, read_key, read_overheard, read_overheard_head};
pub use self::write::{Rewrite, write_head, write_key, write_overheard, write_overheard_head};
use crate::model::Timestamp;

const FORMAT: &str = "broker/1";

/// The first line.
#[derive(Clone, PartialEq, Debug)]
pub struct Head {
    pub captured_at: Timestamp,
    pub stage: Option<String>,
    /// `host:port/db`; snapshots without one all belong to the same broker.
    pub broker: Option<String>,
    /// Whether it contains every Celery key, so that a missing key did not exist. That is
    /// not so for a look at a large database, or at some queues only.
    pub complete: bool,
}

/// One key, or a piece of a long one.
#[derive(Clone, PartialEq, Debug)]
pub struct KeyLine<'a> {
    pub db: i64,
    pub key: Bytes<'a>,
    /// Milliseconds to live; -1 for no expiry.
    pub pttl: i64,
    pub content: KeyContent<'a>,
    /// The length of the whole list or hash, if this line holds a piece of it.
    pub len: Option<u64>,
    /// The index of the first entry in the list.
    pub from: u64,
    /// Whether the key is complete.
    pub complete: bool,
}

impl KeyLine<'_> {
    /// How many bytes it holds.
    pub fn weight(&self) -> usize {
        let content: usize = match &self.content {
            KeyContent::List(entries) | KeyContent::Set(entries) => {
                entries.iter().map(|entry| entry.len()).sum()
            }
            KeyContent::Hash(pairs) => pairs.iter().map(|(field, value)| field.len() + value.len()).sum(),
            KeyContent::Zset(pairs) => pairs.iter().map(|(member, _)| member.len() + size_of::<f64>()).sum(),
            KeyContent::String(value) => value.len(),
            KeyContent::Other(_) => 0,
        };
        size_of::<Self>() + self.key.len() + content
    }
}

/// What is stored under a key.
#[derive(Clone, PartialEq, Debug)]
pub enum KeyContent<'a> {
    /// In `LRANGE 0 -1` order: the newest first.
    List(Vec<Bytes<'a>>),
    Hash(Vec<(Bytes<'a>, Bytes<'a>)>),
    Zset(Vec<(Bytes<'a>, f64)>),
    Set(Vec<Bytes<'a>>),
    String(Bytes<'a>),
    /// A type that Celery does not use.
    Other(String),
}

impl KeyContent<'_> {
    /// The number of entries, fields or members.
    pub const fn len(&self) -> usize {
        match self {
            Self::List(entries) | Self::Set(entries) => entries.len(),
            Self::Hash(pairs) => pairs.len(),
            Self::Zset(pairs) => pairs.len(),
            Self::String(_) => 1,
            Self::Other(_) => 0,
        }
    }

    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Bytes as Redis stores them.
pub type Bytes<'a> = Cow<'a, [u8]>;

/// Why a line of a snapshot could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    #[error("the first line is no head of a `broker/1` snapshot: {0}")]
    Head(String),
    #[error("broken Base64: {0}")]
    Base64(#[from] base64::DecodeError),
    #[error("`at` is no RFC 3339 time")]
    At,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::read::ENTRIES;
    use super::*;

    #[test]
    fn a_head_needs_its_format_and_its_time() {
        let head = read_head(
            br#"{"snapshot": "broker/1", "captured_at": "2026-11-22T19:49:57.749Z", "stage": "done"}"#,
        )
        .expect("valid");
        assert_eq!((head.stage.as_deref(), head.broker), (Some("done"), None));
        assert!(
            read_head(br#"{"snapshot": "broker/2", "captured_at": "2026-11-22T19:49:57.749Z"}"#).is_err()
        );
        assert!(read_head(br#"{"snapshot": "broker/1", "captured_at": "noon"}"#).is_err());
    }

    #[test]
    fn a_line_of_millions_of_nothings_is_refused() {
        let line = |kind, [open, close]: [&str; 2], entry: &str| {
            let entries = vec![entry; ENTRIES + 1].join(",");
            format!(r#"{{"key": "k", "type": "{kind}", "entries": {open}{entries}{close}}}"#)
        };
        for line in [line("list", ["[", "]"], r#""""#), line("hash", ["{", "}"], r#""":"""#)] {
            let why = read_key(line.as_bytes()).expect_err("too many").to_string();
            assert!(why.contains("more than 4194304 entries in one line"), "{why}");
        }
    }

    /// Regression: an infinite score was written as `null`, and the line could not be read.
    #[test]
    fn a_score_without_end_reads_back() {
        let zset = [f64::INFINITY, f64::NEG_INFINITY, 0.1 + 0.2, 5e-324, 1_795_376_994.749_123];
        let line = KeyLine {
            db: 0,
            key: Cow::Borrowed(b"unacked_index"),
            pttl: -1,
            content: KeyContent::Zset(zset.map(|score| (Bytes::Borrowed(&b"tag"[..]), score)).to_vec()),
            len: None,
            from: 0,
            complete: true,
        };
        let mut bytes = Vec::new();
        write_key(&mut bytes, &line, &Rewrite::NONE).expect("writes to memory");
        assert_eq!(read_key(&bytes).expect("reads back"), line);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            entries in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..5),
            score in -1e9..1e9f64,
            from in 0..5u64,
        ) {
            let owned = || entries.iter().map(|entry| Cow::Owned(entry.clone()));
            let contents = [
                KeyContent::List(owned().collect()),
                KeyContent::Set(owned().collect()),
                KeyContent::Zset(owned().map(|entry| (entry, score)).collect()),
                KeyContent::Hash((0..).zip(owned()).map(|(n, entry): (u32, _)| (Cow::Owned(n.to_string().into_bytes()), entry)).collect()),
                KeyContent::String(owned().next().unwrap_or_default()),
            ];
            for content in contents {
                let line = KeyLine { db: 3, key: Cow::Borrowed(b"k\xff"), pttl: 7, content, len: Some(9), from, complete: false };
                let mut bytes = Vec::new();
                write_key(&mut bytes, &line, &Rewrite::NONE).expect("writes to memory");
                prop_assert_eq!(read_key(&bytes).expect("reads back"), line.clone());
                let at = Timestamp::from_nanos(1_700_000_000_123_456_000);
                bytes.clear();
                write_overheard(&mut bytes, at, &line, &Rewrite::NONE).expect("writes to memory");
                prop_assert_eq!(read_overheard(&bytes).expect("reads back"), (at, line));
            }
        }

        #[test]
        fn no_text_panics(text in "[\\[\\]{}\",:a-z0-9 ]{0,120}") {
            let _ = read_key(text.as_bytes());
            let _ = read_head(text.as_bytes());
            let _ = read_overheard_head(text.as_bytes());
            let _ = read_overheard(text.as_bytes());
        }
    }
}

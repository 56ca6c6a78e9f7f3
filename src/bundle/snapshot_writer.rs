//! `--save`: what was read, as a broker snapshot.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::model::Timestamp;
use crate::wire::celery::{redact_message, redact_result, redact_unacked};
use crate::wire::snapshot::{Content, Head, KeyLine, write_head, write_key};

/// Writes a snapshot as it is read: bindings first, so that a reader knows the
/// queues before it meets their messages.
pub struct SnapshotWriter {
    out: Box<dyn Write>,
    with_args: bool,
}

impl SnapshotWriter {
    /// Begins a snapshot; `complete` says whether every key will be in it.
    pub fn new(
        mut out: Box<dyn Write>,
        broker: &str,
        now: Timestamp,
        complete: bool,
        with_args: bool,
    ) -> io::Result<Self> {
        let head = Head { captured_at: now, stage: None, broker: Some(broker.to_owned()), complete };
        write_head(&mut out, &head)?;
        Ok(Self { out, with_args })
    }

    pub fn key(&mut self, line: &KeyLine<'_>) -> io::Result<()> {
        if self.with_args {
            return write_key(&mut self.out, line);
        }
        write_key(&mut self.out, &redacted(line))
    }

    pub fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A key without arguments, return values and values of baggage.
pub fn redacted<'a>(line: &KeyLine<'a>) -> KeyLine<'a> {
    let content = match &line.content {
        Content::List(entries) => {
            Content::List(entries.iter().map(|entry| Cow::Owned(redact_message(entry))).collect())
        }
        Content::Hash(pairs) => {
            let redact =
                |(tag, value): &(_, Cow<'_, [u8]>)| (Cow::clone(tag), Cow::Owned(redact_unacked(value)));
            Content::Hash(pairs.iter().map(redact).collect())
        }
        Content::String(value) => Content::String(Cow::Owned(redact_result(value))),
        other => other.clone(),
    };
    KeyLine { key: Cow::clone(&line.key), content, ..*line }
}

//! `--save`: what was read, as a broker snapshot.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::broker::Page;
use crate::model::Timestamp;
use crate::wire::celery::{redact_message, redact_result, redact_unacked};
use crate::wire::snapshot::{Content, Head, KeyLine, write_head, write_key};

/// Writes a snapshot as it is read: bindings first, so that a reader knows the
/// queues before it meets their messages.
pub struct Saver {
    out: Box<dyn Write>,
    db: i64,
    with_args: bool,
}

impl Saver {
    pub fn new(
        mut out: Box<dyn Write>,
        broker: &str,
        db: i64,
        now: Timestamp,
        with_args: bool,
    ) -> io::Result<Self> {
        let head = Head { captured_at: now, stage: None, broker: Some(broker.to_owned()) };
        write_head(&mut out, &head)?;
        Ok(Self { out, db, with_args })
    }

    fn key(
        &mut self,
        name: &str,
        content: Content<'_>,
        len: Option<u64>,
        from: u64,
        complete: bool,
    ) -> io::Result<()> {
        let key = Cow::Borrowed(name.as_bytes());
        write_key(&mut self.out, &KeyLine { db: self.db, key, pttl: -1, content, len, from, complete })
    }

    pub fn set(&mut self, name: &str, members: &[&str]) -> io::Result<()> {
        let members = members.iter().map(|member| Cow::Borrowed(member.as_bytes())).collect();
        self.key(name, Content::Set(members), None, 0, true)
    }

    pub fn list(&mut self, name: &str, page: &Page, length: u64, complete: bool) -> io::Result<()> {
        let keep = |entry: &Vec<u8>| if self.with_args { entry.clone() } else { redact_message(entry) };
        // A snapshot has a list's entries from the newest on.
        let entries: Vec<_> = page.entries.iter().rev().map(|entry| Cow::Owned(keep(entry))).collect();
        let from = (page.first_index + 1).saturating_sub(entries.len() as u64);
        self.key(name, Content::List(entries), Some(length), from, complete)
    }

    pub fn unacked(&mut self, name: &str, pairs: &[(Vec<u8>, Vec<u8>)], complete: bool) -> io::Result<()> {
        let keep = |value: &Vec<u8>| if self.with_args { value.clone() } else { redact_unacked(value) };
        let pairs = pairs
            .iter()
            .map(|(tag, value)| (Cow::Borrowed(tag.as_slice()), Cow::Owned(keep(value))))
            .collect();
        self.key(name, Content::Hash(pairs), None, 0, complete)
    }

    pub fn result(&mut self, id: &str, value: &[u8]) -> io::Result<()> {
        let value = if self.with_args { value.to_vec() } else { redact_result(value) };
        self.key(&format!("celery-task-meta-{id}"), Content::String(Cow::Owned(value)), None, 0, true)
    }

    pub fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }
}

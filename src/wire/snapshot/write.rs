//! Writes the format entry by entry: a list may be as large as memory allows, so no second
//! copy of it is made.

use std::borrow::Cow;
use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::json;

use super::{FORMAT, Head, KeyContent, KeyLine};
use crate::model::Timestamp;

/// The program that wrote it.
const TOOL: &str = concat!("tracelink ", env!("CARGO_PKG_VERSION"));

/// Bytes as the format writes them: a text, or Base64 if they are not UTF-8.
#[derive(Serialize)]
#[serde(untagged)]
enum Written<'a> {
    Text(&'a str),
    Binary { b64: String },
}

fn written(bytes: &[u8]) -> Written<'_> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Written::Text(text),
        Err(_) => Written::Binary { b64: STANDARD.encode(bytes) },
    }
}

/// Writes the first line.
///
/// # Errors
///
/// What the writer says.
pub fn write_head(out: &mut dyn Write, head: &Head) -> io::Result<()> {
    let mut line = json!({
        "snapshot": FORMAT, "captured_at": head.captured_at, "stage": head.stage, "broker": head.broker,
        "tool": TOOL,
    });
    if !head.complete {
        line["complete"] = false.into();
    }
    writeln!(out, "{line}")
}

/// What is written of an entry of each kind, in place of it.
#[derive(Clone, Copy, Debug)]
pub struct Rewrite {
    pub in_list: fn(&[u8]) -> Cow<'_, [u8]>,
    pub in_hash: fn(&[u8]) -> Cow<'_, [u8]>,
    pub string: fn(&[u8]) -> Cow<'_, [u8]>,
}

impl Rewrite {
    /// Every entry unchanged.
    pub const NONE: Self = Self { in_list: as_it_is, in_hash: as_it_is, string: as_it_is };
}

const fn as_it_is(entry: &[u8]) -> Cow<'_, [u8]> {
    Cow::Borrowed(entry)
}

/// Writes the line of a key.
///
/// # Errors
///
/// What the writer says.
pub fn write_key(out: &mut dyn Write, line: &KeyLine<'_>, rewrite: &Rewrite) -> io::Result<()> {
    out.write_all(b"{")?;
    write_members(out, line, rewrite)
}

/// Writes the first line of what was overheard.
///
/// # Errors
///
/// What the writer says.
pub fn write_overheard_head(out: &mut dyn Write, broker: &str) -> io::Result<()> {
    writeln!(out, "{}", json!({"overheard": FORMAT, "broker": broker, "tool": TOOL}))
}

/// Writes what was overheard at a time.
///
/// # Errors
///
/// What the writer says.
pub fn write_overheard(
    out: &mut dyn Write,
    at: Timestamp,
    line: &KeyLine<'_>,
    rewrite: &Rewrite,
) -> io::Result<()> {
    out.write_all(b"{\"at\":")?;
    serde_json::to_writer(&mut *out, &at)?;
    out.write_all(b",")?;
    write_members(out, line, rewrite)
}

/// Writes what stands in the line of a key, and its end.
fn write_members(out: &mut dyn Write, line: &KeyLine<'_>, rewrite: &Rewrite) -> io::Result<()> {
    if !line.complete {
        out.write_all(b"\"complete\":false,")?;
    }
    write!(out, "\"db\":{},\"entries\":", line.db)?;
    write_entries(out, &line.content, rewrite)?;
    if line.from > 0 {
        write!(out, ",\"from\":{}", line.from)?;
    }
    out.write_all(b",\"key\":")?;
    write_bytes(out, &line.key)?;
    if let Some(len) = line.len {
        write!(out, ",\"len\":{len}")?;
    }
    let kind = match &line.content {
        KeyContent::List(_) => "list",
        KeyContent::Set(_) => "set",
        KeyContent::Hash(_) => "hash",
        KeyContent::Zset(_) => "zset",
        KeyContent::String(_) => "string",
        KeyContent::Other(kind) => kind,
    };
    write!(out, ",\"pttl\":{},\"type\":", line.pttl)?;
    serde_json::to_writer(&mut *out, kind)?;
    out.write_all(b"}\n")
}

fn write_entries(out: &mut dyn Write, content: &KeyContent<'_>, rewrite: &Rewrite) -> io::Result<()> {
    match content {
        KeyContent::List(entries) => {
            write_all(out, [b"[", b"]"], entries, |out, entry| write_bytes(out, &(rewrite.in_list)(entry)))
        }
        KeyContent::Set(entries) => {
            write_all(out, [b"[", b"]"], entries, |out, entry| write_bytes(out, entry))
        }
        KeyContent::Hash(pairs) => {
            // In an order of their own: Redis has none.
            let mut sorted: Vec<_> = pairs.iter().collect();
            sorted.sort_by(|one, other| one.0.cmp(&other.0));
            write_all(out, [b"{", b"}"], sorted, |out, (field, value)| {
                serde_json::to_writer(&mut *out, &String::from_utf8_lossy(field))?;
                out.write_all(b":")?;
                write_bytes(out, &(rewrite.in_hash)(value))
            })
        }
        KeyContent::Zset(pairs) => write_all(out, [b"[", b"]"], pairs, |out, (member, score)| {
            out.write_all(b"[")?;
            write_bytes(out, member)?;
            out.write_all(b",")?;
            // JSON has no infinite number, which a score may be: as Redis itself writes it.
            if score.is_finite() {
                serde_json::to_writer(&mut *out, score)?;
            } else {
                write!(out, "\"{score}\"")?;
            }
            out.write_all(b"]")
        }),
        KeyContent::String(value) => write_bytes(out, &(rewrite.string)(value)),
        KeyContent::Other(_) => out.write_all(b"null"),
    }
}

/// Writes each of them between brackets, with commas.
fn write_all<T>(
    out: &mut dyn Write,
    [open, close]: [&[u8]; 2],
    all: impl IntoIterator<Item = T>,
    write: impl Fn(&mut dyn Write, T) -> io::Result<()>,
) -> io::Result<()> {
    out.write_all(open)?;
    for (place, one) in all.into_iter().enumerate() {
        if place > 0 {
            out.write_all(b",")?;
        }
        write(out, one)?;
    }
    out.write_all(close)
}

fn write_bytes(out: &mut dyn Write, bytes: &[u8]) -> io::Result<()> {
    Ok(serde_json::to_writer(out, &written(bytes))?)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    static REWRITTEN: AtomicUsize = AtomicUsize::new(0);

    /// Takes this many bytes, and then none.
    struct Full(usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Regression: a list was rewritten as a whole, as values, before a byte of it was
    /// written.
    #[test]
    fn a_list_is_rewritten_entry_by_entry() {
        let in_list = |entry: &[u8]| {
            REWRITTEN.fetch_add(1, Ordering::Relaxed);
            Cow::Owned(entry.repeat(10))
        };
        let line = KeyLine {
            db: 0,
            key: Cow::Borrowed(b"celery"),
            pttl: -1,
            content: KeyContent::List(vec![Cow::Borrowed(b"0123456789"); 10_000]),
            len: None,
            from: 0,
            complete: true,
        };
        let rewrite = Rewrite { in_list, ..Rewrite::NONE };
        write_key(&mut Full(1_000), &line, &rewrite).expect_err("it is full");
        assert!(REWRITTEN.load(Ordering::Relaxed) < 20, "all entries were rewritten at once");
    }
}

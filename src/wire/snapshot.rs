//! The broker snapshot, format `broker/1`: JSON lines, a head and then a key a
//! line, or several lines for a long list (`interface.md`).

use std::borrow::Cow;
use std::io::{self, Write};
use std::marker::PhantomData;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

use crate::model::Timestamp;

/// The first line.
#[derive(Clone, PartialEq, Debug)]
pub struct Head {
    pub captured_at: Timestamp,
    pub stage: Option<String>,
    /// `host:port/db`; snapshots without one are of one and the same broker.
    pub broker: Option<String>,
    /// Whether every key of Celery's is in it, so that one that is not was not
    /// there. A look at a large database, or at some queues, is no such thing.
    pub complete: bool,
}

/// One key, or a piece of a long one.
#[derive(Clone, PartialEq, Debug)]
pub struct KeyLine<'a> {
    pub db: i64,
    pub key: Bytes<'a>,
    /// Milliseconds to live; -1 for ever.
    pub pttl: i64,
    pub content: Content<'a>,
    /// The length of the whole list or hash, where this line holds a piece of it.
    pub len: Option<u64>,
    /// The index of the first entry in the list.
    pub from: u64,
    /// Whether nothing of the key was left out.
    pub complete: bool,
}

impl KeyLine<'_> {
    /// How many bytes it holds.
    pub fn weight(&self) -> usize {
        let content: usize = match &self.content {
            Content::List(entries) | Content::Set(entries) => entries.iter().map(|entry| entry.len()).sum(),
            Content::Hash(pairs) => pairs.iter().map(|(field, value)| field.len() + value.len()).sum(),
            Content::Zset(pairs) => pairs.iter().map(|(member, _)| member.len() + size_of::<f64>()).sum(),
            Content::String(value) => value.len(),
            Content::Other(_) => 0,
        };
        size_of::<Self>() + self.key.len() + content
    }
}

/// What lies under a key.
#[derive(Clone, PartialEq, Debug)]
pub enum Content<'a> {
    /// In `LRANGE 0 -1` order: the newest first.
    List(Vec<Bytes<'a>>),
    Hash(Vec<(Bytes<'a>, Bytes<'a>)>),
    Zset(Vec<(Bytes<'a>, f64)>),
    Set(Vec<Bytes<'a>>),
    String(Bytes<'a>),
    /// A type that Celery does not use.
    Other(String),
}

impl Content<'_> {
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

/// Bytes as Redis holds them.
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
}

#[derive(Deserialize)]
struct RawHead {
    snapshot: String,
    captured_at: String,
    stage: Option<String>,
    broker: Option<String>,
    #[serde(default = "yes")]
    complete: bool,
}

#[derive(Deserialize)]
struct RawLine<'a> {
    #[serde(default)]
    db: i64,
    #[serde(borrow)]
    key: Entry<'a>,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default = "for_ever")]
    pttl: i64,
    #[serde(borrow)]
    entries: Option<&'a RawValue>,
    len: Option<u64>,
    #[serde(default)]
    from: u64,
    #[serde(default = "yes")]
    complete: bool,
}

const fn for_ever() -> i64 {
    -1
}

const fn yes() -> bool {
    true
}

/// A text, or `{"b64": "…"}` where the bytes are none. Read by hand, because
/// serde keeps a copy of each value of an untagged enum to try another with.
enum Entry<'a> {
    Text(Cow<'a, str>),
    Binary { b64: String },
}

impl<'de: 'a, 'a> Deserialize<'de> for Entry<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Entry<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text or {\"b64\": …}")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Entry::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Entry::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                #[derive(Deserialize)]
                struct Binary {
                    b64: String,
                }
                let map = serde::de::value::MapAccessDeserializer::new(map);
                Binary::deserialize(map).map(|Binary { b64 }| Entry::Binary { b64 })
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl<'a> Entry<'a> {
    fn bytes(self) -> Result<Bytes<'a>, SnapshotError> {
        Ok(match self {
            Self::Text(Cow::Borrowed(text)) => Cow::Borrowed(text.as_bytes()),
            Self::Text(Cow::Owned(text)) => Cow::Owned(text.into_bytes()),
            Self::Binary { b64 } => Cow::Owned(STANDARD.decode(b64)?),
        })
    }
}

/// Reads the first line.
///
/// # Errors
///
/// [`SnapshotError::Head`], where it is not the head of this format.
pub fn read_head(line: &[u8]) -> Result<Head, SnapshotError> {
    let head: RawHead = serde_json::from_slice(line)?;
    if head.snapshot != "broker/1" {
        return Err(SnapshotError::Head(format!(
            "its format is `{}`",
            head.snapshot.chars().take(32).collect::<String>()
        )));
    }
    let captured_at = Timestamp::parse_rfc3339(&head.captured_at)
        .ok_or_else(|| SnapshotError::Head("`captured_at` is no RFC 3339 time".to_owned()))?;
    Ok(Head { captured_at, stage: head.stage, broker: head.broker, complete: head.complete })
}

/// Reads the line of a key.
///
/// # Errors
///
/// [`SnapshotError`], which names the column and what was expected. The other
/// lines are not lost with it.
pub fn read_key(line: &[u8]) -> Result<KeyLine<'_>, SnapshotError> {
    let raw: RawLine<'_> = serde_json::from_slice(line)?;
    let entries = raw.entries.map_or("null", RawValue::get);
    let bytes = |list: Option<Many<Entry<'_>>>| -> Result<Vec<Bytes<'_>>, SnapshotError> {
        list.unwrap_or_default()
            .0
            .into_iter()
            .map(|entry| Ok(Cow::Owned(entry.bytes()?.into_owned())))
            .collect()
    };
    let content = match raw.kind.as_str() {
        "list" => {
            let list: Option<Many<Entry<'_>>> = serde_json::from_str(entries)?;
            Content::List(list.unwrap_or_default().0.into_iter().map(Entry::bytes).collect::<Result<_, _>>()?)
        }
        "set" => Content::Set(bytes(serde_json::from_str(entries)?)?),
        "hash" => {
            let pairs: Option<Pairs<'_>> = serde_json::from_str(entries)?;
            let pairs = pairs.map(|pairs| pairs.0).unwrap_or_default();
            Content::Hash(
                pairs
                    .into_iter()
                    .map(|(field, value)| Ok((Cow::Owned(field.into_owned().into_bytes()), value.bytes()?)))
                    .collect::<Result<_, SnapshotError>>()?,
            )
        }
        "zset" => {
            let pairs: Option<Many<(Entry<'_>, f64)>> = serde_json::from_str(entries)?;
            Content::Zset(
                pairs
                    .unwrap_or_default()
                    .0
                    .into_iter()
                    .map(|(member, score)| Ok((member.bytes()?, score)))
                    .collect::<Result<_, SnapshotError>>()?,
            )
        }
        "string" => {
            let value: Entry<'_> = serde_json::from_str(entries)?;
            Content::String(value.bytes()?)
        }
        other => Content::Other(other.chars().take(32).collect()),
    };
    Ok(KeyLine {
        db: raw.db,
        key: raw.key.bytes()?,
        pttl: raw.pttl,
        content,
        len: raw.len,
        from: raw.from,
        complete: raw.complete,
    })
}

/// The most entries that a line may have: an entry of three bytes of text is
/// fifty in memory.
const ENTRIES: usize = 1 << 22;

fn too_many<E: serde::de::Error>() -> E {
    E::custom(format_args!("more than {ENTRIES} entries in one line: give a long list as several lines"))
}

/// The items of an array.
struct Many<T>(Vec<T>);

impl<T> Default for Many<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for Visitor<T> {
            type Value = Many<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of entries")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    if items.len() == ENTRIES {
                        return Err(too_many());
                    }
                    items.push(item);
                }
                Ok(Many(items))
            }
        }
        deserializer.deserialize_seq(Visitor(PhantomData))
    }
}

/// The members of an object, in their order.
struct Pairs<'a>(Vec<(Cow<'a, str>, Entry<'a>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of entries")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    if pairs.len() == ENTRIES {
                        return Err(too_many());
                    }
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

/// Bytes as the format writes them: a text, or Base64 where they are none.
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
        "snapshot": "broker/1", "captured_at": head.captured_at, "stage": head.stage, "broker": head.broker,
        "tool": concat!("tracelink ", env!("CARGO_PKG_VERSION")),
    });
    if !head.complete {
        line["complete"] = false.into();
    }
    writeln!(out, "{line}")
}

/// Writes the line of a key.
///
/// # Errors
///
/// What the writer says.
pub fn write_key(out: &mut dyn Write, line: &KeyLine<'_>) -> io::Result<()> {
    let (kind, entries) = match &line.content {
        Content::List(entries) => {
            ("list", json!(entries.iter().map(|entry| written(entry)).collect::<Vec<_>>()))
        }
        Content::Set(entries) => {
            ("set", json!(entries.iter().map(|entry| written(entry)).collect::<Vec<_>>()))
        }
        Content::Hash(pairs) => {
            let pairs: serde_json::Map<_, _> = pairs
                .iter()
                .map(|(field, value)| (String::from_utf8_lossy(field).into_owned(), json!(written(value))))
                .collect();
            ("hash", json!(pairs))
        }
        Content::Zset(pairs) => {
            ("zset", json!(pairs.iter().map(|(member, score)| (written(member), *score)).collect::<Vec<_>>()))
        }
        Content::String(value) => ("string", json!(written(value))),
        Content::Other(kind) => (kind.as_str(), json!(null)),
    };
    let mut object = json!({
        "db": line.db, "key": written(&line.key), "type": kind, "pttl": line.pttl, "entries": entries,
    });
    if let Some(len) = line.len {
        object["len"] = len.into();
    }
    if line.from > 0 {
        object["from"] = line.from.into();
    }
    if !line.complete {
        object["complete"] = false.into();
    }
    writeln!(out, "{object}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            entries in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..5),
            score in -1e9..1e9f64,
            from in 0..5u64,
        ) {
            let owned = || entries.iter().map(|entry| Cow::Owned(entry.clone()));
            let contents = [
                Content::List(owned().collect()),
                Content::Set(owned().collect()),
                Content::Zset(owned().map(|entry| (entry, score)).collect()),
                Content::Hash((0..).zip(owned()).map(|(n, entry): (u32, _)| (Cow::Owned(n.to_string().into_bytes()), entry)).collect()),
                Content::String(owned().next().unwrap_or_default()),
            ];
            for content in contents {
                let line = KeyLine { db: 3, key: Cow::Borrowed(b"k\xff"), pttl: 7, content, len: Some(9), from, complete: false };
                let mut bytes = Vec::new();
                write_key(&mut bytes, &line).expect("writes to memory");
                prop_assert_eq!(read_key(&bytes).expect("reads back"), line);
            }
        }

        #[test]
        fn no_text_panics(text in "[\\[\\]{}\",:a-z0-9 ]{0,120}") {
            let _ = read_key(text.as_bytes());
            let _ = read_head(text.as_bytes());
        }
    }
}

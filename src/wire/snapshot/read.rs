//! Reads the format, whichever program wrote it.

use std::borrow::Cow;
use std::marker::PhantomData;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Bytes, FORMAT, Head, KeyContent, KeyLine, SnapshotError};
use crate::model::Timestamp;

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
struct RawOverheardHead {
    overheard: String,
    broker: Option<String>,
}

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    at: Cow<'a, str>,
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

/// A text, or `{"b64": "…"}` for bytes that are not UTF-8. Read by hand, because serde
/// copies each value of an untagged enum to try another variant.
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

/// The score of a member: a number, or a text such as `inf`. It is read from its token, as
/// `serde_json` rounds the last bit of some numbers.
struct Score(f64);

impl<'de> Deserialize<'de> for Score {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let token = <&RawValue>::deserialize(deserializer)?.get();
        token.trim_matches('"').parse().map(Self).map_err(serde::de::Error::custom)
    }
}

/// Reads the first line.
///
/// # Errors
///
/// [`SnapshotError::Head`], where it is not the head of this format.
pub fn read_head(line: &[u8]) -> Result<Head, SnapshotError> {
    let head: RawHead = serde_json::from_slice(line)?;
    check_format(&head.snapshot)?;
    let captured_at = Timestamp::parse_rfc3339(&head.captured_at)
        .ok_or_else(|| SnapshotError::Head("`captured_at` is no RFC 3339 time".to_owned()))?;
    Ok(Head { captured_at, stage: head.stage, broker: head.broker, complete: head.complete })
}

/// Reads the first line of what was overheard, and returns whose it is:
/// `host:port/db`.
///
/// # Errors
///
/// [`SnapshotError::Head`], where it is not the head of this format.
pub fn read_overheard_head(line: &[u8]) -> Result<Option<String>, SnapshotError> {
    let head: RawOverheardHead = serde_json::from_slice(line)?;
    check_format(&head.overheard)?;
    Ok(head.broker)
}

fn check_format(format: &str) -> Result<(), SnapshotError> {
    if format == FORMAT {
        return Ok(());
    }
    Err(SnapshotError::Head(format!("its format is `{}`", format.chars().take(32).collect::<String>())))
}

/// Reads a line of what was overheard: a piece of a key, and when it was said.
///
/// # Errors
///
/// As [`read_key`].
pub fn read_overheard(line: &[u8]) -> Result<(Timestamp, KeyLine<'_>), SnapshotError> {
    let said: Said<'_> = serde_json::from_slice(line)?;
    let at = Timestamp::parse_rfc3339(&said.at).ok_or(SnapshotError::At)?;
    Ok((at, read_key(line)?))
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
            KeyContent::List(
                list.unwrap_or_default().0.into_iter().map(Entry::bytes).collect::<Result<_, _>>()?,
            )
        }
        "set" => KeyContent::Set(bytes(serde_json::from_str(entries)?)?),
        "hash" => {
            let pairs: Option<Pairs<'_>> = serde_json::from_str(entries)?;
            let pairs = pairs.map(|pairs| pairs.0).unwrap_or_default();
            KeyContent::Hash(
                pairs
                    .into_iter()
                    .map(|(field, value)| Ok((Cow::Owned(field.into_owned().into_bytes()), value.bytes()?)))
                    .collect::<Result<_, SnapshotError>>()?,
            )
        }
        "zset" => {
            let pairs: Option<Many<(Entry<'_>, Score)>> = serde_json::from_str(entries)?;
            KeyContent::Zset(
                pairs
                    .unwrap_or_default()
                    .0
                    .into_iter()
                    .map(|(member, Score(score))| Ok((member.bytes()?, score)))
                    .collect::<Result<_, SnapshotError>>()?,
            )
        }
        "string" => {
            let value: Entry<'_> = serde_json::from_str(entries)?;
            KeyContent::String(value.bytes()?)
        }
        other => KeyContent::Other(other.chars().take(32).collect()),
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
pub const ENTRIES: usize = 1 << 22;

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

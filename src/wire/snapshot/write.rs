//! Writes the format.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Content, FORMAT, Head, KeyLine};
use crate::model::Timestamp;

/// What wrote it.
const TOOL: &str = concat!("tracelink ", env!("CARGO_PKG_VERSION"));

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
        "snapshot": FORMAT, "captured_at": head.captured_at, "stage": head.stage, "broker": head.broker,
        "tool": TOOL,
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
    writeln!(out, "{}", object(line))
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
pub fn write_overheard(out: &mut dyn Write, at: Timestamp, line: &KeyLine<'_>) -> io::Result<()> {
    let mut object = object(line);
    object["at"] = json!(at);
    writeln!(out, "{object}")
}

fn object(line: &KeyLine<'_>) -> Value {
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
    object
}

//! `--save`: writes what was read as a broker snapshot.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::model::Timestamp;
use crate::wire::celery::{redact_message, redact_result, redact_unacked};
use crate::wire::snapshot::{Head, KeyLine, Rewrite, write_head, write_key};

/// Writes a snapshot while it is read: bindings first, so that a reader knows the queues
/// before their messages.
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
        let rewrite = if self.with_args { Rewrite::NONE } else { REDACTED };
        write_key(&mut self.out, line, &rewrite)
    }

    pub fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Entries without arguments, return values and values of baggage.
pub const REDACTED: Rewrite = Rewrite {
    in_list: |entry| Cow::Owned(redact_message(entry)),
    in_hash: |value| Cow::Owned(redact_unacked(value)),
    string: |value| Cow::Owned(redact_result(value)),
};

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::wire::snapshot::{KeyContent, write_overheard};

    const MESSAGE: &str = r#"{"body": "W1siaHVudGVyMiJdLCB7fSwge31d", "content-encoding": "utf-8",
        "content-type": "application/json", "headers": {"id": "t1", "task": "orders.send", "lang": "py",
        "argsrepr": "('hunter2',)", "baggage": "user=hunter2"}, "properties": {"body_encoding": "base64",
        "correlation_id": "t1", "delivery_tag": "d1", "delivery_info": {"exchange": "", "routing_key": "celery"}}}"#;

    /// The old way to make a line: all of it as one JSON value.
    fn as_one_value(line: &KeyLine<'_>) -> Value {
        let text = |bytes: &[u8]| Value::from(String::from_utf8(bytes.to_vec()).expect("UTF-8"));
        let texts = |all: &[Cow<'_, [u8]>]| all.iter().map(|entry| text(entry)).collect::<Vec<_>>();
        let (kind, entries) = match &line.content {
            KeyContent::List(all) => {
                let redacted: Vec<_> = all.iter().map(|entry| text(&redact_message(entry))).collect();
                ("list", json!(redacted))
            }
            KeyContent::Hash(pairs) => {
                let pairs = pairs.iter().map(|(field, value)| {
                    let field = String::from_utf8_lossy(field).into_owned();
                    (field, text(&redact_unacked(value)))
                });
                ("hash", Value::Object(pairs.collect()))
            }
            KeyContent::String(value) => ("string", text(&redact_result(value))),
            KeyContent::Set(all) => ("set", json!(texts(all))),
            KeyContent::Zset(pairs) => {
                let pairs: Vec<_> = pairs.iter().map(|(member, score)| (text(member), *score)).collect();
                ("zset", json!(pairs))
            }
            KeyContent::Other(kind) => (kind.as_str(), Value::Null),
        };
        let key = match std::str::from_utf8(&line.key) {
            Ok(key) => json!(key),
            Err(_) => json!({"b64": "a/8="}),
        };
        let mut object =
            json!({"db": line.db, "key": key, "type": kind, "pttl": line.pttl, "entries": entries});
        line.len.into_iter().for_each(|len| object["len"] = len.into());
        if line.from > 0 {
            object["from"] = line.from.into();
        }
        if !line.complete {
            object["complete"] = false.into();
        }
        object
    }

    #[test]
    fn a_line_has_the_bytes_of_one_that_is_redacted_as_a_whole() {
        let entry = |text: &'static str| Cow::Borrowed(text.as_bytes());
        let held: &str = &format!("[{MESSAGE}, \"\", \"celery\"]");
        let held = || Cow::Owned(held.as_bytes().to_vec());
        let entries = || vec![entry(MESSAGE), Cow::Borrowed(b"hunter2 \xff".as_slice()), entry("\"\\\n{}")];
        let contents = [
            KeyContent::List(entries()),
            KeyContent::List(Vec::new()),
            KeyContent::Hash(vec![
                (entry("z"), held()),
                (entry("a\""), held()),
                (entry("m"), entry("hunter2")),
            ]),
            KeyContent::Hash(Vec::new()),
            KeyContent::String(entry(r#"{"status": "SUCCESS", "result": "hunter2", "task_id": "t1"}"#)),
            KeyContent::Set(vec![entry("celery\u{6}\u{16}\u{6}\u{16}celery"), entry("é\u{7f}")]),
            KeyContent::Zset(vec![
                (entry("d1"), 1_764_000_000.123_456),
                (entry("d2"), 3.0),
                (entry("d3"), -0.5e-9),
            ]),
            KeyContent::Other("stream\"".to_owned()),
        ];
        for content in contents {
            let whole = KeyLine {
                db: 0,
                key: entry("celery"),
                pttl: -1,
                content,
                len: None,
                from: 0,
                complete: true,
            };
            let piece = KeyLine {
                db: 3,
                key: Cow::Borrowed(b"k\xff"),
                pttl: 7,
                len: Some(9),
                from: 4,
                complete: false,
                ..whole.clone()
            };
            for line in [whole, piece] {
                let mut object = as_one_value(&line);
                let mut bytes = Vec::new();
                write_key(&mut bytes, &line, &REDACTED).expect("writes to memory");
                assert_eq!(String::from_utf8(bytes).expect("UTF-8"), format!("{object}\n"));
                let at = Timestamp::from_nanos(1_700_000_000_123_456_000);
                object["at"] = json!(at);
                let mut bytes = Vec::new();
                write_overheard(&mut bytes, at, &line, &REDACTED).expect("writes to memory");
                let text = String::from_utf8(bytes).expect("UTF-8");
                assert_eq!(text, format!("{object}\n"));
                assert!(!text.contains("hunter2"), "{text}");
            }
        }
    }
}

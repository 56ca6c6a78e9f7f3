//! The broker snapshot, written and read again.

use std::borrow::Cow;

use super::choices::Choices;
use crate::model::Timestamp;
use crate::wire::snapshot::{
    Bytes, Head, KeyContent, KeyLine, Rewrite, read_head, read_key, read_overheard, read_overheard_head,
    write_head, write_key, write_overheard, write_overheard_head,
};

/// A line that is read, or made here (after a `w`), is written so that it reads the same.
pub fn snapshot(bytes: &[u8]) {
    if let Some(choices) = bytes.strip_prefix(b"w") {
        let mut choices = Choices::by(choices);
        let head = Head {
            captured_at: Timestamp::from_nanos(choices.any()),
            stage: choices.one_in(2).then(|| choices.text(8)),
            broker: choices.one_in(2).then(|| choices.text(8)),
            complete: choices.any(),
        };
        hold_head(&head);
        hold(&line(&mut choices));
        return;
    }
    if let Ok(head) = read_head(bytes) {
        hold_head(&head);
    }
    if let Ok(broker) = read_overheard_head(bytes) {
        let broker = broker.unwrap_or_default();
        let mut written = Vec::new();
        write_overheard_head(&mut written, &broker).expect("memory takes it");
        assert_eq!(read_overheard_head(&written).expect("we wrote it"), Some(broker));
    }
    if let Ok(line) = read_key(bytes) {
        hold(&line);
    }
    if let Ok((at, line)) = read_overheard(bytes) {
        let mut written = Vec::new();
        write_overheard(&mut written, at, &line, &Rewrite::NONE).expect("memory takes it");
        let (again, _) = read_overheard(&written).expect("we wrote it");
        assert_eq!(again, at);
        hold(&line);
    }
}

fn hold_head(head: &Head) {
    let mut written = Vec::new();
    write_head(&mut written, head).expect("memory takes it");
    assert_eq!(read_head(&written).expect("we wrote it"), *head);
}

fn hold(line: &KeyLine<'_>) {
    let mut written = Vec::new();
    write_key(&mut written, line, &Rewrite::NONE).expect("memory takes it");
    let read = read_key(&written)
        .unwrap_or_else(|error| panic!("{error}: {line:?} is {}", String::from_utf8_lossy(&written)));
    // As text: a score that is no number equals nothing.
    assert_eq!(format!("{read:?}"), format!("{:?}", as_written(line)));
}

/// Fields of a hash are written in order, and as texts.
fn as_written<'l>(line: &KeyLine<'l>) -> KeyLine<'l> {
    let mut line = line.clone();
    if let KeyContent::Hash(pairs) = &mut line.content {
        pairs.sort_by(|one, other| one.0.cmp(&other.0));
        for (field, _) in pairs {
            *field = Cow::Owned(String::from_utf8_lossy(field).into_owned().into_bytes());
        }
    }
    line
}

fn line<'b>(choices: &mut Choices<'b>) -> KeyLine<'b> {
    fn bytes<'b>(choices: &mut Choices<'b>) -> Bytes<'b> {
        Cow::Borrowed(choices.bytes(12))
    }
    fn several<'b, T>(choices: &mut Choices<'b>, one: fn(&mut Choices<'b>) -> T) -> Vec<T> {
        (0..choices.below(5)).map(|_| one(choices)).collect()
    }
    let content = match choices.below(5) {
        0 => KeyContent::List(several(choices, bytes)),
        1 => KeyContent::Hash(several(choices, |choices| (bytes(choices), bytes(choices)))),
        2 => KeyContent::Zset(several(choices, |choices| (bytes(choices), choices.any()))),
        3 => KeyContent::Set(several(choices, bytes)),
        _ => KeyContent::String(bytes(choices)),
    };
    KeyLine {
        db: choices.any(),
        key: bytes(choices),
        pttl: choices.any(),
        content,
        len: choices.one_in(2).then(|| choices.any()),
        from: choices.any(),
        complete: choices.any(),
    }
}

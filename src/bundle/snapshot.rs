//! Broker snapshots, as `--save` and others keep them.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use super::lines::{self, Line};
use super::notice::Notices;
use super::read::Reading;
use crate::evidence::{Atlas, Evidence, Looker};
use crate::wire::celery::keys::{self, Key};
use crate::wire::snapshot::{Content, KeyLine, SnapshotError, read_head, read_key};

/// Reads a snapshot; gives the name of its broker, and what its names mean.
/// `None` where its head is broken.
pub fn read(
    path: &Path,
    file: &mut impl BufRead,
    reading: &Reading,
    evidence: &mut Evidence,
    notices: &mut Notices<'_>,
) -> io::Result<Option<(String, Atlas)>> {
    let mut line = Vec::new();
    if lines::next(file, &mut line, lines::MOST)? == Line::TooLong {
        notices.line(1, lines::too_long());
        return Ok(None);
    }
    let head = match read_head(&line) {
        Ok(head) => head,
        Err(error) => {
            notices.line(1, error.to_string());
            return Ok(None);
        }
    };
    let broker = head.broker.unwrap_or_default();
    let mut looker = Looker::new(
        evidence,
        &broker,
        head.captured_at,
        reading.keep,
        reading.options,
        reading.naming.clone(),
    );
    // Twice: bindings and names first, so that each list's queue is known when
    // its messages are read, and no list is held in memory, unless it comes
    // through a pipe.
    looker.looked_for_workers();
    if !head.complete {
        looker.incomplete();
    }
    let mut whole = None;
    if !path.is_file() {
        if !lines::rest(file, &mut line)? {
            notices.file(lines::too_large());
        }
        whole = Some(line);
    }
    let each_line = |each: &mut dyn FnMut(usize, Option<&[u8]>)| match &whole {
        Some(whole) => each_key(&whole[..], each),
        None => each_key(BufReader::new(File::open(path)?), each),
    };
    each_line(&mut |_, line| {
        if let Some(Ok(line)) = line.map(read_key) {
            announce(&mut looker, &line);
        }
    })?;
    each_line(&mut |number, line| match line.map(read_key) {
        Some(Ok(line)) => take(&mut looker, &line),
        Some(Err(error)) => notices.line(number, describe(&error)),
        None => notices.line(number, lines::too_long()),
    })?;
    for (key, (count, why)) in std::mem::take(&mut looker.foreign) {
        let entries = if count == 1 { "entry" } else { "entries" };
        notices.expected(format!("{count} {entries} of `{key}` passed over: {why}"));
    }
    let atlas = looker.finish();
    Ok(Some((broker, atlas)))
}

/// An error without its line, which is always the first of one.
pub fn describe(error: &SnapshotError) -> String {
    error.to_string().replace("at line 1 column", "at column")
}

/// Calls `each` with every line but the first, and its number.
fn each_key(file: impl BufRead, mut each: impl FnMut(usize, Option<&[u8]>)) -> io::Result<()> {
    lines::each(file, |number, line| {
        if number > 1 {
            each(number, line);
        }
    })
}

/// The first time over: tells a look of a binding or of a list's name, before any list is taken.
pub fn announce(looker: &mut Looker<'_>, line: &KeyLine<'_>) {
    let Ok(name) = std::str::from_utf8(&line.key) else { return };
    match &line.content {
        Content::Set(members) => {
            let members: Vec<_> =
                members.iter().filter_map(|member| std::str::from_utf8(member).ok()).collect();
            looker.set(name, &members);
        }
        Content::List(_) => looker.announce(name),
        _ => {}
    }
}

/// The second time: takes what lies under a key into a look.
pub fn take(looker: &mut Looker<'_>, line: &KeyLine<'_>) {
    let name = String::from_utf8_lossy(&line.key);
    match &line.content {
        Content::List(entries) => {
            let indexed = (line.from..).zip(entries.iter().map(|entry| &**entry));
            looker.list(&name, indexed, line.len, line.complete);
        }
        Content::Hash(pairs) if keys::classify(&name) == Key::Unacked => {
            looker.unacked(&name, pairs.iter().map(|(_, value)| &**value), line.complete);
        }
        Content::String(value) => {
            if let Key::Result { task_id } = keys::classify(&name) {
                looker.result(task_id, value);
            }
        }
        _ => {}
    }
}

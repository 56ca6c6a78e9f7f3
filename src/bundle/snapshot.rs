//! Broker snapshots, from `--save` or from other programs.

use std::fs::File;
use std::io::{self, BufRead};
use std::path::Path;

use super::content::Content;
use super::evidence_options::EvidenceOptions;
use super::lines::{self, Line};
use super::skipped::SkippedIn;
use crate::evidence::{BrokerIntake, Evidence, RequestedQueues};
use crate::wire::broker::Completeness;
use crate::wire::celery::redis_layout::{KeyMap, RedisReader};
use crate::wire::snapshot::{SnapshotError, read_head, read_key};

/// Reads a snapshot; returns the name of its broker, and what its names mean. `None` if its
/// head is broken.
pub fn read(
    path: &Path,
    file: &mut impl BufRead,
    reading: &EvidenceOptions,
    evidence: &mut Evidence,
    skipped: &mut SkippedIn<'_>,
) -> io::Result<Option<(String, KeyMap)>> {
    let mut line = Vec::new();
    if lines::next(file, &mut line, reading.longest)? == Line::TooLong {
        skipped.line(1, lines::too_long(reading.longest));
        return Ok(None);
    }
    let head = match read_head(&line) {
        Ok(head) => head,
        Err(error) => {
            skipped.line(1, error.to_string());
            return Ok(None);
        }
    };
    let broker = head.broker.unwrap_or_default();
    let mut intake = BrokerIntake::new(evidence, &broker, head.captured_at, reading.keep);
    let mut reader = RedisReader::new(reading.naming.clone(), reading.options);
    // In two passes: bindings and names first, so that each list's queue is known when its
    // messages are read and no list is held in memory. A pipe can only be read once, so it
    // is held.
    reader.begin_look(&mut intake);
    let mut whole = None;
    if !path.is_file() {
        if !lines::rest(file, &mut line, reading.longest)? {
            skipped.file(lines::too_large(reading.longest));
        }
        whole = Some(line);
    }
    let each_line = |each: &mut dyn FnMut(usize, Option<&[u8]>)| match &whole {
        Some(whole) => each_key(&whole[..], reading.longest, each),
        // It may be compressed.
        None => each_key(Content::of(File::open(path)?, reading.longest)?.bytes, reading.longest, each),
    };
    each_line(&mut |_, line| {
        if let Some(Ok(line)) = line.map(read_key) {
            reader.announce(&line, &mut intake);
        }
    })?;
    if !reading.queues.is_empty() {
        let requested = reader.requested(&reading.queues, &mut intake);
        intake.only(RequestedQueues::new(requested));
    }
    each_line(&mut |number, line| match line.map(read_key) {
        Some(Ok(line)) => reader.take(&line, &mut intake),
        Some(Err(error)) => skipped.line(number, describe(&error)),
        None => skipped.line(number, lines::too_long(reading.longest)),
    })?;
    let since = head.complete.then_some(head.captured_at);
    let seen = Completeness { held: head.complete, since, left_out: 0, ended_early: false };
    for (key, (count, why)) in reader.end_look(seen, &mut intake) {
        let entries = if count == 1 { "entry" } else { "entries" };
        skipped.expected(format!("{count} {entries} of `{key}` passed over: {why}"));
    }
    Ok(Some((broker, reader.into_map())))
}

/// An error without its line number, which is always 1.
pub fn describe(error: &SnapshotError) -> String {
    error.to_string().replace("at line 1 column", "at column")
}

/// Calls `each` with every line but the first, and its number.
fn each_key(file: impl BufRead, most: usize, mut each: impl FnMut(usize, Option<&[u8]>)) -> io::Result<()> {
    lines::each(file, most, |number, line| {
        if number > 1 {
            each(number, line);
        }
    })
}

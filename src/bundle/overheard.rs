//! What was overheard between the looks at a broker.

use std::io::{self, BufRead};

use super::lines;
use super::notice::Notices;
use super::read::Reading;
use super::snapshot::{describe, take};
use crate::evidence::{Atlas, Evidence, Looker};
use crate::model::Timestamp;
use crate::wire::snapshot::{Content, KeyLine, read_overheard, read_overheard_head};

/// Reads a file of it. `atlas_of` knows what the names in a broker mean, as far
/// as the looks at it showed that.
pub fn read(
    file: &mut impl BufRead,
    reading: &Reading,
    evidence: &mut Evidence,
    atlas_of: &mut dyn FnMut(&str) -> Atlas,
    notices: &mut Notices<'_>,
) -> io::Result<()> {
    let mut told: Option<(String, Atlas)> = None;
    lines::each(file, |number, line| {
        let Some(line) = line else { return notices.line(number, lines::too_long()) };
        let Some((broker, atlas)) = &mut told else {
            let broker = read_overheard_head(line).unwrap_or_else(|error| {
                notices.line(number, describe(&error));
                None
            });
            let broker = broker.unwrap_or_default();
            let atlas = atlas_of(&broker);
            told = Some((broker, atlas));
            return;
        };
        match read_overheard(line) {
            Ok((at, line)) => drop(hear(evidence, broker, reading, atlas, at, &line)),
            Err(error) => notices.line(number, describe(&error)),
        }
    })
}

/// Takes what was overheard at `at`: a message that was pushed or is held now,
/// or a result; gives the tasks whose messages it was. It is no look: nothing is
/// said of what was not heard.
pub fn hear(
    evidence: &mut Evidence,
    broker: &str,
    reading: &Reading,
    atlas: &mut Atlas,
    at: Timestamp,
    line: &KeyLine<'_>,
) -> Vec<Box<str>> {
    let foreign = evidence.foreign_entries;
    let Reading { keep, options, naming } = reading;
    let mut looker =
        Looker::new(evidence, broker, at, *keep, *options, naming.clone()).with_atlas(std::mem::take(atlas));
    looker.note_seen();
    match &line.content {
        // Bindings are taken from looks.
        Content::Set(_) => {}
        _ => take(&mut looker, line),
    }
    let seen = looker.seen();
    *atlas = looker.leave();
    evidence.foreign_entries = foreign;
    seen
}

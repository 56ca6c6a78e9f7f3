//! What `MONITOR` showed between the looks at a broker.

use std::io::{self, BufRead};

use super::evidence_options::EvidenceOptions;
use super::lines;
use super::skipped::SkippedIn;
use super::snapshot::describe;
use crate::evidence::{BrokerIntake, Evidence};
use crate::wire::celery::redis_layout::{KeyMap, RedisReader};
use crate::wire::snapshot::{read_overheard, read_overheard_head};

/// Reads such a file. `map_of` knows what the names in a broker mean, as far as the looks
/// at it showed that.
///
/// Entries that are no Celery message are not counted here: looks count them.
pub fn read(
    file: &mut impl BufRead,
    reading: &EvidenceOptions,
    evidence: &mut Evidence,
    map_of: &mut dyn FnMut(&str) -> KeyMap,
    skipped: &mut SkippedIn<'_>,
) -> io::Result<()> {
    let mut told: Option<(String, RedisReader)> = None;
    lines::each(file, reading.longest, |number, line| {
        let Some(line) = line else { return skipped.line(number, lines::too_long(reading.longest)) };
        let Some((broker, reader)) = &mut told else {
            let broker = read_overheard_head(line).unwrap_or_else(|error| {
                skipped.line(number, describe(&error));
                None
            });
            let broker = broker.unwrap_or_default();
            let reader = RedisReader::new(reading.naming.clone(), reading.options).with_map(map_of(&broker));
            told = Some((broker, reader));
            return;
        };
        match read_overheard(line) {
            Ok((at, line)) => {
                let intake = BrokerIntake::new(evidence, broker, at, reading.keep);
                reader.hear(&line, &mut intake.with_counted(u64::MAX));
            }
            Err(error) => skipped.line(number, describe(&error)),
        }
    })
}

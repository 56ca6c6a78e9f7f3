//! Which findings are reported and decide the exit code, according to the command line and
//! the configuration.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use anyhow::Context;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

use crate::cli::Output;
use crate::config::Config;
use crate::policy::{Baseline, Policy};

/// The policy of a run.
///
/// # Errors
///
/// If `--baseline` is not a report or cannot be read.
pub fn policy(args: &Output, config: Config) -> anyhow::Result<Policy> {
    let selection = &args.selection;
    Ok(Policy {
        select: selection.select.clone(),
        ignore: selection.ignore.clone(),
        entries: config.ignore,
        severities: config.severities.into_iter().map(|(slug, (severity, _))| (slug, severity)).collect(),
        baseline: selection.baseline.as_deref().map(baseline).transpose()?,
        today: today(),
        ..Policy::default()
    })
}

/// Today in UTC. The evidence has a clock of its own, but the date of a configuration entry
/// refers to the calendar.
pub fn today() -> Date {
    Offset::UTC.to_datetime(Timestamp::now()).date()
}

fn baseline(path: &Path) -> anyhow::Result<Baseline> {
    let shown = path.display().to_string();
    let file = File::open(path).with_context(|| format!("cannot read the baseline {shown}"))?;
    let file = BufReader::new(Limited { file, left: Limited::MOST });
    Baseline::read(shown.clone(), file).with_context(|| format!("{shown} is no baseline"))
}

/// Limits reading, because a file may never end.
struct Limited {
    file: File,
    left: u64,
}

impl Limited {
    /// More than a report with everything that can be listed.
    const MOST: u64 = 256 << 20;
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.left = self
            .left
            .checked_sub(read as u64)
            .ok_or_else(|| io::Error::new(io::ErrorKind::FileTooLarge, "it is longer than 256 MiB"))?;
        Ok(read)
    }
}

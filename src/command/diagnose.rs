//! `tracelink diagnose`: from saved evidence.

use std::path::{Path, PathBuf};

use super::progress::Progress;
use super::{Exit, Outputs, tell_skipped, usage};
use crate::bundle::{EvidenceOptions, Store, read_evidence};
use crate::cli::{self, Output};
use crate::diagnosis::Listing;
use crate::live::{FilePlan, StoredSession};
use crate::report::Subject;
use crate::wire::celery::redis_layout::Naming;

pub fn run(args: &cli::Diagnose, output: &Output, outputs: &mut Outputs) -> anyhow::Result<Exit> {
    outputs.read_from(&args.evidence);
    let plan = FilePlan::new(args.max_memory);
    let reading = EvidenceOptions {
        naming: Naming::from(&args.naming),
        longest: plan.longest,
        ..EvidenceOptions::default()
    };
    let paths = paths(&args.evidence)?;
    let progress = Progress::new(output);
    progress.begin_files(paths.iter().filter_map(|path| size(path)).sum());
    let mut session = StoredSession::new(&plan, Box::new(|bytes, spans| progress.read_files(bytes, spans)));
    session.evidence().show_messages(args.reports.show_messages);
    session.expect_handoffs(args.expect_handoffs);
    let skipped = read_evidence(&paths, &reading, &mut session);
    progress.done();
    let skipped = skipped?;
    tell_skipped(&skipped, output);
    let report = outputs.policy.apply(session.report(Listing::default()));
    let exit = Exit::of_report(&report, output.fail_on);
    outputs.report(&report, Subject::Handoffs, None, exit)?;
    Ok(exit)
}

/// What is to be read: `-` stands for standard input, and a pattern that no file is called
/// by for the files that match it, as a shell does not expand it within quotes.
fn paths(given: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for path in given {
        let text = path.to_string_lossy();
        if text == "-" {
            paths.push("/dev/stdin".into());
        } else if text.contains(['*', '?', '[']) && !path.exists() {
            let matches =
                glob::glob(&text).map_err(|error| usage(format!("{text} is no pattern: {error}")))?;
            let before = paths.len();
            paths.extend(matches.filter_map(Result::ok));
            // Rotated sets are told in their order, though any order is the same.
            if paths.len() == before {
                return Err(usage(format!("no file matches {text}")));
            }
        } else {
            paths.push(path.clone());
        }
    }
    Ok(paths)
}

/// How many bytes lie there; `None` where it cannot be known before.
fn size(path: &Path) -> Option<u64> {
    let metadata = path.metadata().ok()?;
    if !metadata.is_dir() {
        return metadata.is_file().then_some(metadata.len());
    }
    let files = std::fs::read_dir(path).ok()?.filter_map(|entry| entry.ok()?.metadata().ok());
    Some(files.filter(std::fs::Metadata::is_file).map(|file| file.len()).sum())
}

impl From<&cli::Naming> for Naming {
    fn from(naming: &cli::Naming) -> Self {
        Self {
            prefix: naming.key_prefix.clone(),
            separator: naming.separator.clone(),
            steps: naming.priority_steps.clone(),
        }
    }
}

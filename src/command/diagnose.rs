//! `tracelink diagnose`: from saved evidence.

use std::path::PathBuf;

use super::progress::Progress;
use super::stored_page::{ShownPage, StoredPage};
use super::{Exit, Outputs, diagnose_store, tell_skipped, usage};
use crate::bundle::{BundleError, BytesRead, EvidenceOptions, Skipped, Store, bytes_to_read, read_evidence};
use crate::cli::{self, EvidencePlace, Output};
use crate::diagnosis::Listing;
use crate::live::{FilePlan, OnProgress, StoredSession};
use crate::query::clickhouse::is_clickhouse;
use crate::report::Subject;
use crate::wire::celery::redis_layout::Naming;

pub fn run(args: &cli::Diagnose, output: &Output, outputs: &mut Outputs) -> anyhow::Result<Exit> {
    let shown: Vec<_> = args.evidence.iter().map(EvidencePlace::shown).collect();
    outputs.read_from(&shown);
    if let [place] = &*args.evidence
        && let Some(url) = place.url().filter(|url| is_clickhouse(url))
    {
        return diagnose_store::run(url, args, output, outputs);
    }
    if let Some(option) = args.store.first_given() {
        return Err(usage(format!("{option} is for a ClickHouse, and the evidence is files")));
    }
    let paths = paths(&args.evidence)?;
    let plan = FilePlan::new(args.max_memory, args.web.is_some());
    let page = args.web.map(|address| StoredPage::open(address, &shown, &plan, output)).transpose()?;
    let progress = Progress::new(output);
    let bytes = bytes_to_read(&paths);
    progress.begin_files(bytes);
    let has_read = |read: BytesRead, spans: u64| {
        progress.read_files(read, spans);
        page.iter().for_each(|page| page.has_read(read.stored, bytes, spans));
    };
    let judged = judge(args, &paths, &plan, Box::new(has_read));
    let (session, skipped) = judged.inspect_err(|_| progress.done())?;
    progress.judging();
    let judging = page.as_ref().map(StoredPage::judges).transpose()?;
    let report = session.report(Listing::default());
    drop(judging);
    progress.done();
    tell_skipped(&skipped, output);
    let report = outputs.policy.apply(report);
    let exit = Exit::of_report(&report, output.fail_on);
    let read = session.into_judge();
    // Pages that wait have it first.
    let page = page.map(|page| page.show(&report, read)).transpose()?;
    outputs.report(&report, Subject::Handoffs, None, exit)?;
    page.into_iter().for_each(ShownPage::stay);
    Ok(exit)
}

/// Reads these files and folders within the plan. Returns what they say, and what was skipped.
///
/// # Errors
///
/// [`BundleError`], where a path cannot be read or holds no evidence.
pub fn judge<'p>(
    args: &cli::Diagnose,
    paths: &[PathBuf],
    plan: &FilePlan,
    on_progress: OnProgress<'p>,
) -> Result<(StoredSession<'p>, Vec<Skipped>), BundleError> {
    let reading = EvidenceOptions {
        naming: Naming::from(&args.naming),
        longest: plan.longest,
        ..EvidenceOptions::default()
    };
    let mut session = StoredSession::new(plan, on_progress);
    session.evidence().show_messages(args.reports.show_messages);
    session.evidence().name_command_with_more_memory(with_more_memory(args));
    session.expect_handoffs(args.expect_handoffs);
    let skipped = read_evidence(paths, &reading, &mut session)?;
    Ok((session, skipped))
}

/// What is to be read: `-` stands for standard input, and a pattern that no file is called
/// by for the files that match it, as a shell does not expand it within quotes.
pub fn paths(given: &[EvidencePlace]) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for place in given {
        if place.url().is_some_and(is_clickhouse) {
            return Err(usage("a ClickHouse is asked by itself: give its URL and no other evidence"));
        }
        let path = place.path();
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
            paths.push(path.to_owned());
        }
    }
    Ok(paths)
}

/// The command that reads the same with twice the memory.
fn with_more_memory(args: &cli::Diagnose) -> String {
    const MEBIBYTE: usize = 1 << 20;
    let mebibytes = args.max_memory.div_ceil(MEBIBYTE) * 2;
    let size = if mebibytes.is_multiple_of(1 << 10) {
        format!("{}GiB", mebibytes >> 10)
    } else {
        format!("{mebibytes}MiB")
    };
    let files: Vec<_> =
        args.evidence.iter().map(|place| for_a_shell(&place.path().to_string_lossy())).collect();
    format!("tracelink diagnose {} --max-memory {size}", files.join(" "))
}

/// A word as a POSIX shell reads it back.
fn for_a_shell(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:@%,=".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn the_command_with_more_memory_names_the_evidence() {
        let told = |words: &[&str]| {
            let words = ["tracelink", "diagnose"].iter().chain(words).copied();
            match Cli::parse_from(words).command {
                Command::Diagnose(args) => with_more_memory(&args),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(told(&["spans.jsonl"]), "tracelink diagnose spans.jsonl --max-memory 2GiB");
        assert_eq!(
            told(&["it's here/a b.json", "traces-*.json", "--max-memory", "300MiB"]),
            r"tracelink diagnose 'it'\''s here/a b.json' 'traces-*.json' --max-memory 600MiB"
        );
    }
}

//! The files and folders that a command line names as evidence.

use std::path::PathBuf;

use super::usage;
use crate::bundle::{BundleError, EvidenceOptions, Skipped, Store as _, read_evidence};
use crate::cli::{self, EvidencePlace};
use crate::config::masked;
use crate::live::{FilePlan, OnProgress, StoredSession};
use crate::query::clickhouse::is_clickhouse;
use crate::wire::celery::redis_layout::Naming;

/// Whether it is the URL of a store, and no file.
pub fn is_store(place: &EvidencePlace) -> bool {
    place.url().is_some_and(is_clickhouse)
}

/// A session of what the options say.
pub fn session<'p>(args: &cli::Diagnose, plan: &FilePlan, on_progress: OnProgress<'p>) -> StoredSession<'p> {
    let mut session = StoredSession::new(plan, on_progress);
    session.evidence().show_messages(args.reports.show_messages);
    session.expect_handoffs(args.expect_handoffs);
    session
}

/// Reads these files and folders within the plan. Returns what was skipped.
///
/// # Errors
///
/// [`BundleError`], where a path cannot be read or holds no evidence.
pub fn read(
    args: &cli::Diagnose,
    paths: &[PathBuf],
    plan: &FilePlan,
    session: &mut StoredSession<'_>,
) -> Result<Vec<Skipped>, BundleError> {
    let reading = EvidenceOptions {
        naming: Naming::from(&args.naming),
        longest: plan.longest,
        ..EvidenceOptions::default()
    };
    session.evidence().name_command_with_more_memory(with_more_memory(args));
    read_evidence(paths, &reading, session)
}

/// What is to be read: `-` stands for standard input, and a pattern that no file is called
/// by for the files that match it, as a shell does not expand it within quotes.
pub fn paths(given: &[EvidencePlace]) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for place in given {
        if is_store(place) {
            return Err(usage("a ClickHouse is asked by `tracelink diagnose` on a command line alone"));
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
    let mut words: Vec<_> =
        args.evidence.iter().map(|place| for_a_shell(&place.shown().to_string_lossy())).collect();
    words.extend(args.beside.broker.as_deref().map(|url| format!("--broker {}", for_a_shell(&masked(url)))));
    format!("tracelink diagnose {} --max-memory {size}", words.join(" "))
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

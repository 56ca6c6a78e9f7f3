//! Every block of every page is of a kind that something checks, and every command line of
//! tracelink is one that tracelink parses.

use std::collections::BTreeSet;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use tracelink::cli::Cli;

use crate::pages;
use crate::shell::{self, calls};

/// The arguments of tracelink in a call, whichever way it is started.
fn arguments(call: &[String]) -> Option<&[String]> {
    let after = |word: &str| call.iter().position(|part| part == word).map(|at| &call[at + 1..]);
    match call[0].as_str() {
        "tracelink" | "tracelink-cli" => Some(&call[1..]),
        "cargo" if call.get(1).is_some_and(|word| word == "run") => after("--"),
        "uvx" | "pipx" => after("tracelink-cli"),
        "python" | "python3" => after("tracelink_cli"),
        "docker" if call.get(1).is_some_and(|word| word == "run") => after("tracelink"),
        _ => None,
    }
}

/// What tracelink has to say against these arguments of its own.
pub fn complaint(arguments: &[String]) -> Option<String> {
    if arguments.is_empty() {
        return None;
    }
    let whole = std::iter::once("tracelink").chain(arguments.iter().map(String::as_str));
    let error = Cli::try_parse_from(whole).err()?;
    let is_asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    (!is_asked_for).then(|| error.to_string())
}

/// What is wrong with a text for a shell, and how many command lines of tracelink it has.
pub fn check_shell(text: &str) -> Result<usize, String> {
    let mut found = 0;
    for call in calls(text)? {
        if let Some(arguments) = arguments(&call) {
            if let Some(complaint) = complaint(arguments) {
                return Err(complaint);
            }
            found += 1;
        }
    }
    Ok(found)
}

#[test]
fn every_command_of_every_page_is_one_that_tracelink_parses() {
    let mut wrong = Vec::new();
    let mut found = 0;
    // What the catalogue has to paste is made of pieces for a place, such as `-Q celery,orders`:
    // `tests/fixes` reads each line of them as what it is.
    let pages = pages::all().into_iter().filter(|page| page.name != "docs/diagnoses.md");
    for block in pages.flat_map(|page| page.blocks) {
        if block.language == "sh" {
            match check_shell(&block.text) {
                Ok(lines) => found += lines,
                Err(error) => wrong.push(format!("{}: {error}", block.place)),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(found > 40, "the docs have more than {found} command lines");
}

#[test]
fn every_block_is_of_a_kind_that_is_checked() {
    // What checks it: `tests/cli` runs `console`; `sh` and `yaml` are checked here; Python of
    // the catalogue by `tests/fixes`, of the examples by `tests/pytest`; SQL by `tests/clickhouse`.
    const CHECKED: [&str; 8] = ["console", "sh", "yaml", "python", "toml", "json", "xml", "sql"];
    for block in pages::all().into_iter().flat_map(|page| page.blocks) {
        let parsed = match block.language.as_str() {
            "toml" => toml::de::DeTable::parse(&block.text).err().map(|error| error.to_string()),
            "json" => {
                let whole = serde_json::Deserializer::from_str(&block.text).into_iter::<serde_json::Value>();
                whole.filter_map(Result::err).map(|error| error.to_string()).next()
            }
            _ => None,
        };
        assert!(parsed.is_none(), "{}: {parsed:?}", block.place);
        if block.language.is_empty() || block.language == "text" {
            // Something to look at, and nothing to type.
            let is_typed = |line: &str| {
                ["$ ", "tracelink ", "cargo ", "pip "]
                    .iter()
                    .any(|start| line.trim_start().starts_with(start))
            };
            let typed = block.text.lines().find(|line| is_typed(line) && !line.starts_with("tracelink-cli:"));
            assert!(typed.is_none(), "{}: name its language, `sh` or `console`: {typed:?}", block.place);
        } else {
            assert!(
                block.is_fenced && CHECKED.contains(&block.language.as_str()),
                "{}: nothing checks `{}`",
                block.place,
                block.language
            );
        }
    }
}

/// The long options of a command and of those below it.
fn options(command: &clap::Command, found: &mut BTreeSet<String>) {
    found.extend(
        command.get_arguments().filter_map(|argument| argument.get_long()).map(|name| format!("--{name}")),
    );
    command.get_subcommands().for_each(|below| options(below, found));
}

#[test]
fn no_text_names_an_option_that_is_not_there() {
    // Those of other programs where they stand alone: docker, pip, pytest, Celery; and those of
    // ours in Python.
    const OTHERS: &str = "--add-host --all-targets --alone --body-file --broken --cache-sim --check --dozen --fixed --from --gigabytes --hours \
        --grow --max-memory-per-child --max-tasks-per-child --no-deps --no-run --no-trace-compares --no-tracelink --one-line --only --profile \
        --requirepass --sdist --spans --strict --target-dir --test --tool --tracelink --workers --write";
    let mut known: BTreeSet<String> =
        OTHERS.split(' ').chain(["--help", "--version"]).map(str::to_owned).collect();
    options(&Cli::command(), &mut known);
    let mut unknown = Vec::new();
    // The plan of the house speaks of what is to come.
    let pages = pages::all().into_iter().filter(|page| page.name != "docs/architecture.md");
    let is_ours = |word: &str| !shell::OTHERS.iter().any(|program| word.split(' ').next() == Some(program));
    for (word, place) in pages.flat_map(|page| page.words).filter(|(word, _)| is_ours(word)) {
        for part in word.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-') {
            if part.len() > 2 && part.starts_with("--") && !known.contains(part) {
                unknown.push(format!("{place}: {part}"));
            }
        }
    }
    assert!(
        unknown.is_empty(),
        "tracelink has no such option (another program's goes into OTHERS):\n{}",
        unknown.join("\n")
    );
}

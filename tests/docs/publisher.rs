//! Who publishes tracelink, and where, is said once: `authors` and `repository` of
//! `Cargo.toml` (`docs/release.md`). What is released takes it from there, and so does the
//! page of the action.

#![allow(clippy::disallowed_methods, reason = "UPDATE_DOCS is the test's own switch")]

use std::fs;
use std::path::Path;

use crate::root;

/// What stands for the account until there is one. Accounts of GitHub have no underscore, so
/// nobody can take the name and be run by whoever pastes a workflow.
const NOBODY: &str = "NOT_YET_PUBLISHED";
/// An address in `.invalid` reaches nobody (RFC 2606).
const NO_ADDRESS: &str = ".invalid>";

/// What a workflow names: `OWNER/tracelink@v0.1.0`.
fn action() -> String {
    let repository = env!("CARGO_PKG_REPOSITORY").strip_prefix("https://github.com/");
    let repository = repository.map_or_else(|| format!("{NOBODY}/tracelink"), str::to_owned);
    format!("{repository}@v{}", env!("CARGO_PKG_VERSION"))
}

/// The files below a folder that a person wrote, and that are text.
fn texts(folder: &Path, found: &mut Vec<(String, String)>) {
    const NOT_OURS: [&str; 5] = [".git", "target", "fixtures", "fuzz", "proptest-regressions"];
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("UTF-8");
        if path.is_dir() {
            if !NOT_OURS.contains(&name) {
                texts(&path, found);
            }
        } else if let Ok(text) = fs::read_to_string(&path) {
            let name = path.strip_prefix(root()).expect("it is below").display().to_string();
            found.push((name, text));
        }
    }
}

#[test]
fn who_publishes_is_set_in_one_place() {
    let mut files = Vec::new();
    texts(root(), &mut files);
    let with = |part: &str| -> Vec<&str> {
        let names =
            files.iter().filter(|(name, text)| name != "tests/docs/publisher.rs" && text.contains(part));
        names.map(|(name, _)| name.as_str()).collect()
    };
    let is_published = !env!("CARGO_PKG_REPOSITORY").is_empty();
    assert_eq!(is_published, !env!("CARGO_PKG_AUTHORS").contains(NO_ADDRESS), "both are set, or neither");
    let place = if is_published { &[][..] } else { &["Cargo.toml"] };
    assert_eq!(with(NO_ADDRESS), place, "these name a maintainer");
    // The page of the action says what `repository` says, and the page of releases explains it.
    let mut pages = with(NOBODY);
    pages.sort_unstable();
    let told = if is_published { &[][..] } else { &["docs/action.md", "docs/release.md"] };
    assert_eq!(pages, told, "these name the account");
}

/// Set `UPDATE_DOCS=1` to write it anew.
#[test]
fn the_page_of_the_action_names_the_repository_and_this_version() {
    let path = root().join("docs/action.md");
    let page = fs::read_to_string(&path).expect("UTF-8");
    let (mut fresh, action, mut used) = (String::new(), action(), 0);
    for line in page.split_inclusive('\n') {
        match line.split_once("uses: ").filter(|(_, name)| name.contains("/tracelink@")) {
            Some((before, _)) => {
                fresh.extend([before, "uses: ", &action, "\n"]);
                used += 1;
            }
            None => fresh += line,
        }
    }
    assert_eq!(used, 3);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &fresh).expect("writable");
    }
    let written = fs::read_to_string(&path).expect("UTF-8");
    assert!(written == fresh, "docs/action.md is stale: UPDATE_DOCS=1 cargo test --test docs");
}

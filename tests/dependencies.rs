//! What the program is made of: each package under a licence that `deny.toml`
//! allows and from crates.io alone, and each direct one with its reason in
//! `docs/dependencies.md`.
//!
//! `cargo deny check` says the licences too, and known vulnerabilities besides; it
//! takes five minutes to build, so a gate without it reads the same file here.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn metadata() -> Value {
    // Not offline: packages for other systems are not fetched by a build on this one.
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--all-features"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn packages(metadata: &Value) -> impl Iterator<Item = &Value> {
    let packages = metadata["packages"].as_array().expect("a list").iter();
    packages.filter(|package| package["name"] != env!("CARGO_PKG_NAME"))
}

/// The quoted words of the list `allow` in `deny.toml`.
fn allowed() -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join("deny.toml")).expect("it is there");
    let list = text.split_once("allow = [").and_then(|(_, rest)| rest.split_once(']')).expect("a list").0;
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_package_has_a_licence_that_is_allowed() {
    let allowed = allowed();
    let metadata = metadata();
    let mut used = BTreeSet::new();
    for package in packages(&metadata) {
        let licence = package["license"].as_str().unwrap_or_default();
        let expression = spdx::Expression::parse_mode(licence, spdx::ParseMode::LAX)
            .unwrap_or_else(|error| panic!("{}: {licence}: {error}", package["name"]));
        let is_allowed = expression.evaluate(|licence| {
            let is_allowed = allowed.contains(&licence.to_string());
            used.extend(is_allowed.then(|| licence.to_string()));
            is_allowed
        });
        assert!(is_allowed, "{} is under {licence}", package["name"]);
    }
    assert_eq!(used, allowed, "a licence is allowed that nothing needs");
}

#[test]
fn every_package_comes_from_crates_io() {
    const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";
    for package in packages(&metadata()) {
        assert_eq!(package["source"], CRATES_IO, "{}", package["name"]);
    }
}

#[test]
fn every_direct_dependency_has_its_reason() {
    let metadata = metadata();
    let own = metadata["packages"].as_array().expect("a list").iter();
    let own = own.into_iter().find(|package| package["name"] == env!("CARGO_PKG_NAME")).expect("this one");
    let direct = own["dependencies"].as_array().expect("a list").iter();
    let direct: BTreeSet<&str> =
        direct.map(|dependency| dependency["name"].as_str().expect("a name")).collect();
    let page = std::fs::read_to_string(root().join("docs/dependencies.md")).expect("it is there");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let told: Vec<(&str, &str)> = rows.collect();
    for (name, reason) in &told {
        assert!(reason.len() > 20, "{name} has no reason");
    }
    assert_eq!(told.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>(), direct);
}

/// A wheel owes its users the terms of what is in the binary (`python/licences.py`).
#[test]
fn the_licences_of_what_is_linked_are_at_hand() {
    let output = Command::new("python3").arg(root().join("python/licences.py")).arg("--check").output();
    let output = output.expect("this test needs python3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// `fuzz/` is a package of its own. Its build would go on with another lock file.
#[test]
fn fuzzing_is_locked_to_what_the_program_is_made_of() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--quiet", "--manifest-path", "fuzz/Cargo.toml"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n`cargo update -w --manifest-path fuzz/Cargo.toml` mends it");
}

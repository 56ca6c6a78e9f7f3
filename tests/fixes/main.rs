//! The fixes as what they are pasted as: every line is code or a setting that
//! can be read, and needs nothing that the fix does not bring along. Whether it
//! mends is for `tests/python/mend.py` to say.

mod paste;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::python;
use tracelink::bundle::{EvidenceOptions, read_evidence};
use tracelink::diagnosis::{self, Listing, report};
use tracelink::evidence::Evidence;
use tracelink::model::{Fix, FixPlace};

/// A fix, and the diagnosis that gives it.
type Given = BTreeSet<(&'static str, Fix)>;

/// Every fix that a rule declares.
fn declared() -> Given {
    diagnosis::all().iter().flat_map(|rule| (rule.fixes)().into_iter().map(|fix| (rule.code, fix))).collect()
}

/// What is wrong with the fixes, as Python and Node read them.
fn complaints(fixes: &Given, hostile: Option<&str>) -> String {
    let fixes: Vec<_> = fixes.iter().map(|(code, fix)| json!({"of": code, "fix": fix})).collect();
    let binds: serde_json::Map<_, _> =
        FixPlace::ALL.iter().map(|place| (place.name().to_owned(), json!(place.binds()))).collect();
    let asked = json!({"fixes": fixes, "binds": binds, "hostile": hostile});
    python::stack_script_with("check_fixes.py", &asked.to_string())
}

#[test]
fn every_declared_fix_can_be_pasted() {
    let wrong = complaints(&declared(), None);
    assert!(wrong.is_empty(), "{wrong}");
}

/// Each capture, as the files of each view.
fn captures() -> Vec<Vec<PathBuf>> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let rooms = ["corpus", "field"].map(|room| fs::read_dir(fixtures.join(room)).expect("readable"));
    let cases = rooms.into_iter().flatten().map(|entry| entry.expect("readable").path());
    let cases = cases.filter(|path| path.join("expected.json").is_file());
    cases
        .flat_map(|case| {
            let files = |begin: &str| {
                let entries = fs::read_dir(&case).expect("readable");
                let paths = entries.map(|entry| entry.expect("readable").path());
                let mut files: Vec<_> = paths
                    .filter(|path| {
                        let name = path.file_name().unwrap_or_default().to_string_lossy();
                        name.starts_with(begin) && name.ends_with(".jsonl")
                    })
                    .collect();
                files.sort();
                files
            };
            let (queue, spans) = (files("redis.queued"), files("spans"));
            let all = [files("redis."), spans.clone(), files("receiver")].concat();
            [queue, spans, all]
        })
        .filter(|files| !files.is_empty())
        .collect()
}

/// The fixes that the findings of some evidence give.
fn given(files: &[PathBuf]) -> Given {
    let mut evidence = Evidence::default();
    read_evidence(files, &EvidenceOptions::default(), &mut evidence).expect("readable evidence");
    let report = report(&evidence, evidence.clock(), Listing::default());
    report
        .findings
        .into_iter()
        .flat_map(|finding| finding.fixes.into_iter().map(move |fix| (finding.code, fix)))
        // What has no title is of a rule whose fixes are no values yet.
        .filter(|(_, fix)| !fix.title.is_empty())
        .collect()
}

#[test]
fn every_fix_of_a_capture_can_be_pasted() {
    let fixes: Given = captures().iter().flat_map(|files| given(files)).collect();
    assert!(fixes.len() > 3, "the captures give only {} fixes", fixes.len());
    let wrong = complaints(&fixes, None);
    assert!(wrong.is_empty(), "{wrong}");
}

/// What is read of a finding is found again in `explain` and in the docs.
#[test]
fn every_fix_of_a_capture_is_declared() {
    /// What depends on whose library it is has more fixes than a page should list.
    const OF_MANY_VENDORS: [&str; 2] = ["TL206", "TL301"];
    /// How the same is done where the evidence shows another setting than the example's.
    const WAYS: [&str; 3] = [", in code", ", by environment", ", where each side sets it"];
    let does = |fix: &Fix| {
        let title = fix.title.as_ref();
        WAYS.iter().find_map(|way| title.strip_suffix(way)).unwrap_or(title).to_owned()
    };
    let declared: BTreeSet<_> = declared().iter().map(|(code, fix)| (*code, does(fix))).collect();
    let mut missing = BTreeSet::new();
    for (code, fix) in captures().iter().flat_map(|files| given(files)) {
        let said = (code, does(&fix));
        if !declared.contains(&said) && !OF_MANY_VENDORS.contains(&code) {
            missing.insert(said);
        }
    }
    assert!(missing.is_empty(), "not among the fixes that its rule declares: {missing:#?}");
}

/// A name out of the evidence stays within its string, whatever it is.
#[test]
fn no_name_of_the_evidence_gets_out_of_its_string() {
    const HOSTILE: &str = "pwned'\"); import os; os.system(`id`) #\n$(id)";
    /// What captured programs call their things.
    const NAMES: [&str; 6] =
        ["trace_context", "order-api", "order-worker", "process_order", "orders", "otel_carrier"];
    let folder = tempfile::tempdir().expect("a folder");
    let mut fixes = Given::new();
    let mut hostile = 0;
    for files in captures() {
        let written: Vec<_> = files
            .iter()
            .map(|file| {
                let text = fs::read_to_string(file).expect("UTF-8");
                let name = file.file_name().expect("a name");
                let path = folder.path().join(name);
                let changed = text.lines().map(|line| renamed(line, &NAMES, HOSTILE)).collect::<Vec<_>>();
                hostile += usize::from(changed.iter().any(|line| line.contains("pwned")));
                fs::write(&path, changed.join("\n")).expect("writable");
                path
            })
            .collect();
        fixes.extend(given(&written));
    }
    assert!(hostile > 100, "only {hostile} files hold the name");
    let wrong = complaints(&fixes, Some("pwned"));
    assert!(wrong.is_empty(), "{wrong}");
}

/// A line of JSON in which texts that are one of the names are another; so are
/// those in texts that are JSON themselves, as messages are.
fn renamed(line: &str, names: &[&str], to: &str) -> String {
    fn walk(value: &mut Value, names: &[&str], to: &str) {
        match value {
            Value::String(text) if names.contains(&&**text) => to.clone_into(text),
            Value::String(text) if text.starts_with(['{', '[']) => {
                if let Ok(mut inner) = serde_json::from_str::<Value>(text) {
                    walk(&mut inner, names, to);
                    *text = inner.to_string();
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| walk(item, names, to)),
            Value::Object(object) => {
                for (key, mut inner) in std::mem::take(object) {
                    walk(&mut inner, names, to);
                    let key = if names.contains(&&*key) { to.to_owned() } else { key };
                    object.insert(key, inner);
                }
            }
            _ => {}
        }
    }
    let Ok(mut value) = serde_json::from_str(line) else { return line.to_owned() };
    walk(&mut value, names, to);
    value.to_string()
}

//! The page of diagnoses, and what they say of themselves.

#![allow(clippy::disallowed_methods, reason = "UPDATE_DOCS is the test's own switch")]

use std::collections::{BTreeMap, BTreeSet};

use tracelink::diagnosis;
use tracelink::model::Key;
use tracelink::report::explanation;

use crate::root;

#[test]
fn codes_and_slugs_are_unique_and_documented() {
    let all = diagnosis::all();
    let codes: BTreeSet<_> = all.iter().map(|diagnosis| diagnosis.code).collect();
    let slugs: BTreeSet<_> = all.iter().map(|diagnosis| diagnosis.slug).collect();
    assert_eq!((codes.len(), slugs.len()), (all.len(), all.len()));
    for diagnosis in all {
        let (code, doc) = (diagnosis.code, diagnosis.doc);
        assert!(code.len() == 5 && code.starts_with("TL"), "{code}");
        for heading in [" ## What it means\n", " ## What shows it\n", " ## How to fix it\n"] {
            assert!(doc.contains(heading), "{code} lacks{heading}");
        }
        assert!(!diagnosis.summary.ends_with('.'), "{code}: a summary has no full stop");
        assert!(diagnosis::find(&code.to_lowercase()).is_some_and(|found| found.slug == diagnosis.slug));
    }
}

/// A program reads what a key stands for in the schema, a person in the source.
#[test]
fn the_schema_describes_every_key_of_a_context() {
    let text = include_str!("../../docs/tracelink-1.schema.json");
    let schema: serde_json::Value = serde_json::from_str(text).expect("JSON");
    let described = &schema["$defs"]["finding"]["properties"]["context"]["properties"];
    let described: BTreeMap<_, _> = described
        .as_object()
        .expect("properties")
        .iter()
        .map(|(key, value)| (key.as_str(), value["description"].as_str().expect("a description")))
        .collect();
    let known: BTreeMap<_, _> = Key::ALL.iter().map(|(key, doc)| (key.name(), doc.trim())).collect();
    assert_eq!(described, known);
}

/// Whoever asks where the fix for a code stands finds it by the code.
#[test]
fn each_fix_says_what_it_mends() {
    let folder = root().join("src/diagnosis/advice");
    let files = std::fs::read_dir(folder).expect("the fixes").map(|entry| entry.expect("readable").path());
    let texts: Vec<_> = files.map(|file| std::fs::read_to_string(file).expect("UTF-8")).collect();
    let said: BTreeSet<_> = texts
        .iter()
        .flat_map(|text| text.match_indices("TL").map(|(at, _)| &text[at..text.len().min(at + 5)]))
        .collect();
    for diagnosis in diagnosis::all() {
        // An exception of the application's own is not ours to mend.
        if diagnosis.slug != "task-failed" {
            assert!(said.contains(diagnosis.code), "no fix says that it mends {}", diagnosis.code);
        }
    }
}

/// Set `UPDATE_DOCS=1` to write the page anew.
#[test]
fn the_page_of_diagnoses_is_fresh() {
    let path = root().join("docs/diagnoses.md");
    let page = explanation::page(&diagnosis::all());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).expect("writable");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/diagnoses.md is stale: UPDATE_DOCS=1 cargo test --test docs");
}

//! The commands in the YAML of the docs: steps of a workflow, containers of Compose and of
//! Kubernetes.

use std::fs;

use serde_json::Value;

use crate::commands::{check_shell, complaint};
use crate::{pages, root};

fn documents(text: &str) -> Vec<Value> {
    let parts = text.split("\n---\n");
    parts.map(|part| serde_saphyr::from_str(part).unwrap_or_else(|error| panic!("{error}\n{part}"))).collect()
}

/// Checks what a value runs, and returns how many command lines of tracelink it has.
fn check(value: &Value, place: &str) -> usize {
    let wrong = |error: String| -> usize { panic!("{place}: {error}") };
    match value {
        Value::Array(parts) => parts.iter().map(|part| check(part, place)).sum(),
        Value::Object(fields) => {
            let mut found = 0;
            let of_action = fields.get("with").and_then(|with| with.get("command"));
            for text in fields.get("run").into_iter().chain(of_action).filter_map(Value::as_str) {
                found += check_shell(text).unwrap_or_else(wrong);
            }
            if fields.get("image").is_some_and(|image| image == "tracelink") {
                let typed = ["command", "args"].iter().find_map(|name| fields.get(*name)?.as_array());
                let words = typed.into_iter().flatten().map(|word| word.as_str().expect("a text").to_owned());
                let words: Vec<_> = words.collect();
                found += complaint(&words).map_or(usize::from(!words.is_empty()), wrong);
            }
            found + fields.values().map(|field| check(field, place)).sum::<usize>()
        }
        _ => 0,
    }
}

#[test]
fn every_command_in_yaml_is_one_that_tracelink_parses() {
    let mut found = 0;
    for block in
        pages::all().into_iter().flat_map(|page| page.blocks).filter(|block| block.language == "yaml")
    {
        found += documents(&block.text).iter().map(|document| check(document, &block.place)).sum::<usize>();
    }
    assert!(found >= 4, "the docs have more than {found}");
    let compose = fs::read_to_string(root().join("compose.yaml")).expect("it is there");
    let own: usize = documents(&compose).iter().map(|document| check(document, "compose.yaml")).sum();
    assert_eq!(own, 1);
}

//! Programs that are not ours, on what is shipped: from PyPI and npm.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::{root, support};

/// One of the programs of `tests/python/requirements-shipping.txt`.
fn reads(program: &str, arguments: &[&str]) -> Output {
    let python = support::python::interpreter("shipping");
    let mut command = Command::new(python.with_file_name(program));
    command.args(arguments).current_dir(root()).output().unwrap_or_else(|error| panic!("{program}: {error}"))
}

#[track_caller]
fn finds_nothing(program: &str, arguments: &[&str]) {
    let output = reads(program, arguments);
    let said =
        [output.stdout, output.stderr].map(|part| String::from_utf8_lossy(&part).into_owned()).concat();
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
}

#[test]
fn the_published_schemas_hold() {
    finds_nothing("check-jsonschema", &["--builtin-schema", "vendor.github-actions", "action.yml"]);
    finds_nothing("check-jsonschema", &["--builtin-schema", "vendor.compose-spec", "compose.yaml"]);
    let wrong = reads("check-jsonschema", &["--builtin-schema", "vendor.github-actions", "compose.yaml"]);
    assert!(!wrong.status.success(), "it tells one from another");
}

#[test]
fn zizmor_hadolint_and_shellcheck_find_nothing() {
    finds_nothing("zizmor", &["--offline", "--no-progress", "--quiet", "action.yml"]);
    finds_nothing("hadolint", &["Dockerfile"]);
    // Variables in capitals are those of `action.yml`. `options.sh` and `publish.sh` are
    // read where they are sourced.
    for script in ["plan", "install", "run", "start", "stop"] {
        let path = format!("action/{script}.sh");
        finds_nothing("shellcheck", &["--shell=bash", "--external-sources", "--exclude=SC2153", &path]);
    }
}

/// The YAML blocks of a page that are workflows.
fn workflows(page: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(page)).expect("it is there");
    let blocks =
        text.split("```yaml\n").skip(1).map(|rest| rest.split("\n```").next().expect("it ends").to_owned());
    blocks.filter(|block| block.contains("jobs:")).collect()
}

#[test]
fn actionlint_reads_the_action_and_the_workflows_of_the_docs() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("writable");
    let action = fs::read_to_string(root().join("action.yml")).expect("it is there");
    let action: Value = serde_saphyr::from_str(&action).expect("YAML");
    write("action.json", &action.to_string());
    let mut number = 0;
    for text in workflows("docs/action.md").iter().chain(&workflows("docs/ci.md")) {
        number += 1;
        write(&format!("page-{number}.yaml"), text);
    }
    assert_eq!(number, 3);
    // It must have something against these.
    write("wrong.json", &action.to_string().replace("inputs.broker }", "inputs.brocker }"));
    write("wrong.yaml", &workflows("docs/ci.md")[0].replace("runs-on", "run-on"));
    let said = support::node::script("lint_workflows.js", &[folder.path().to_str().expect("UTF-8")]);
    let said: Value = serde_json::from_str(&said).expect("JSON");
    for (name, found) in said.as_object().expect("an object") {
        let is_wrong = found.as_array().is_some_and(|found| !found.is_empty());
        assert_eq!(is_wrong, name.starts_with("wrong"), "{name}: {found}");
    }
    assert_eq!(said.as_object().map(serde_json::Map::len), Some(6));
}

/// Each step of the action calls a script that is there, and gives it each variable that the
/// script reads.
#[test]
fn each_step_has_a_script_and_its_variables() {
    const RUNNERS: [&str; 7] = [
        "RUNNER_TEMP",
        "GITHUB_OUTPUT",
        "GITHUB_ENV",
        "GITHUB_PATH",
        "GITHUB_STEP_SUMMARY",
        "GITHUB_SERVER_URL",
        "PATH",
    ];
    let text = fs::read_to_string(root().join("action.yml")).expect("it is there");
    let action: Value = serde_saphyr::from_str(&text).expect("YAML");
    let steps = action["runs"]["steps"].as_array().expect("a list");
    let mut scripts = 0;
    for step in steps.iter().filter(|step| step["run"].is_string()) {
        let run = step["run"].as_str().expect("a text");
        assert!(!run.contains("${{"), "an input in the text of a script is a hole: {run}");
        let name = run.split("/action/").nth(1).and_then(|rest| rest.split('"').next()).expect("a script");
        let given = step["env"].as_object().expect("variables");
        for variable in read_by(&root().join("action").join(name)) {
            assert!(
                given.contains_key(&variable) || RUNNERS.contains(&variable.as_str()),
                "{name} reads {variable}"
            );
        }
        scripts += 1;
    }
    assert_eq!(scripts, 6);
}

/// The variables in capitals that a script, and what it sources, reads.
fn read_by(script: &Path) -> Vec<String> {
    let text = fs::read_to_string(script).expect("it is there");
    let mut found: Vec<_> = text
        .split('$')
        .skip(1)
        .map(|rest| {
            rest.trim_start_matches('{')
                .chars()
                .take_while(|letter| letter.is_ascii_uppercase() || *letter == '_')
                .collect::<String>()
        })
        .filter(|name| name.len() > 1)
        .collect();
    let sourced = text.split("# shellcheck source=").skip(1).filter_map(|rest| rest.lines().next());
    found.extend(sourced.map(|name| root().join(name)).flat_map(|path: PathBuf| read_by(&path)));
    found
}

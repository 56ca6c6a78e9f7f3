//! The whole action as a runner reads it: `action.yml`, step by step, with its conditions, its
//! inputs and the outputs that steps hand on. `action.rs` has each script alone.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::root;
use crate::runner::Runner;

/// What the action left.
pub struct Acted {
    /// Whether every step that ran was green.
    pub succeeded: bool,
    pub log: String,
    pub outputs: BTreeMap<String, String>,
    pub summary: String,
    /// The steps that ran: the script, or the action that is used.
    pub ran: Vec<String>,
    /// The name and the path of what was uploaded.
    pub artifact: Option<(String, String)>,
}

/// What expressions name: `inputs.mode`, `steps.plan.outputs.bin`.
struct Names(BTreeMap<String, String>);

/// Uses the action with these inputs.
pub fn act(runner: &mut Runner, inputs: &[(&str, &str)]) -> Acted {
    let text = fs::read_to_string(root().join("action.yml")).expect("it is there");
    let action: Value = serde_saphyr::from_str(&text).expect("YAML");
    let mut names = Names(BTreeMap::new());
    for (name, input) in action["inputs"].as_object().expect("inputs") {
        names.set(&format!("inputs.{name}"), input["default"].as_str().expect("a default"));
    }
    for (name, value) in inputs {
        let unknown = names.0.insert(format!("inputs.{name}"), (*value).to_owned()).is_none();
        assert!(!unknown, "action.yml has no input {name}");
    }
    names.set("github.action_path", &runner.action().display().to_string());
    names.set("runner.os", "Linux");
    names.set("runner.arch", "X64");
    let mut acted = Acted {
        succeeded: true,
        log: String::new(),
        outputs: BTreeMap::new(),
        summary: String::new(),
        ran: Vec::new(),
        artifact: None,
    };
    for step in action["runs"]["steps"].as_array().expect("steps") {
        let condition = step["if"].as_str().unwrap_or("true");
        if !acted.succeeded && !condition.contains("always()") || names.value(condition) != "true" {
            continue;
        }
        if let Some(used) = step["uses"].as_str() {
            acted.ran.push(used.split('@').next().expect("a name").to_owned());
            let with = |name: &str| names.fill(step["with"][name].as_str().expect("a text"));
            if used.starts_with("actions/upload-artifact@") {
                acted.artifact = Some((with("name"), with("path")));
            } else {
                assert!(
                    !with("key").ends_with('-') && !with("path").is_empty(),
                    "a cache with a key and a path"
                );
            }
            continue;
        }
        let command = step["run"].as_str().expect("a script");
        let filled = step["env"].as_object().expect("variables").iter();
        let filled: Vec<_> =
            filled.map(|(name, value)| (name, names.fill(value.as_str().expect("a text")))).collect();
        let variables: Vec<_> = filled.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let ended = runner.command(command, &variables);
        acted.ran.push(command.split("/action/").nth(1).expect("a script").replace('"', ""));
        acted.succeeded &= ended.code == Some(0);
        acted.log += &ended.log;
        acted.summary += &ended.summary;
        if let Some(id) = step["id"].as_str() {
            for (name, value) in &ended.outputs {
                names.set(&format!("steps.{id}.outputs.{name}"), value);
            }
        }
    }
    for (name, output) in action["outputs"].as_object().expect("outputs") {
        acted.outputs.insert(name.clone(), names.fill(output["value"].as_str().expect("a text")));
    }
    acted
}

impl Names {
    fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }

    /// A text with its expressions in `${{ }}` put in.
    fn fill(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${{") {
            let (expression, behind) = after.split_once("}}").expect("it is closed");
            filled += before;
            filled += &self.value(expression);
            rest = behind;
        }
        filled + rest
    }

    /// An expression of what the action uses: `a || b`, `a && b`, `a == 'b'`, `a != 'b'`, in
    /// parentheses or not. What is empty is false.
    fn value(&self, expression: &str) -> String {
        let expression = expression.trim();
        let is_true = |value: &str| !value.is_empty() && value != "false";
        if let Some((left, right)) = split(expression, "||") {
            let left = self.value(left);
            return if is_true(&left) { left } else { self.value(right) };
        }
        if let Some((left, right)) = split(expression, "&&") {
            let left = self.value(left);
            return if is_true(&left) { self.value(right) } else { left };
        }
        if let Some((left, right)) = split(expression, "==") {
            return (self.value(left) == self.value(right)).to_string();
        }
        if let Some((left, right)) = split(expression, "!=") {
            return (self.value(left) != self.value(right)).to_string();
        }
        if let Some(within) = expression.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
            return self.value(within);
        }
        if let Some(text) = expression.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
            return text.to_owned();
        }
        match expression {
            "always()" | "true" => "true".to_owned(),
            name => {
                let is_known =
                    ["inputs.", "steps.", "github.", "runner."].iter().any(|part| name.starts_with(part));
                assert!(is_known, "an expression of another kind: {name}");
                self.0.get(name).cloned().unwrap_or_default()
            }
        }
    }
}

/// The sides of the first such operator that stands in no parentheses.
fn split<'a>(expression: &'a str, operator: &str) -> Option<(&'a str, &'a str)> {
    let mut depth = 0;
    for (at, letter) in expression.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ if depth == 0 && expression[at..].starts_with(operator) => {
                return Some((&expression[..at], &expression[at + operator.len()..]));
            }
            _ => {}
        }
    }
    None
}

#[test]
fn an_expression_is_understood() {
    let mut names = Names(BTreeMap::new());
    names.set("inputs.mode", "stop");
    names.set("steps.stop.outputs.status", "healthy");
    for (expression, value) in [
        ("steps.run.outputs.status || steps.stop.outputs.status", "healthy"),
        ("always() && inputs.artifact != '' && (inputs.mode == 'run' || inputs.mode == 'stop')", "false"),
        ("always() && inputs.artifact == '' && (inputs.mode == 'run' || inputs.mode == 'stop')", "true"),
        ("inputs.mode == 'run'", "false"),
    ] {
        assert_eq!(names.value(expression), value, "{expression}");
    }
}

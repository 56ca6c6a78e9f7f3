//! The arguments of a call, read by the command line's own parser: so they mean what the
//! options of the command mean, and the configuration completes them in the same way.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use rmcp::model::JsonObject;
use serde_json::Value;

use super::tools::{Argument, Goes, Spec, Takes};
use crate::cli::{self, Cli, Command};
use crate::command::{policy, usage};
use crate::config::masked;
use crate::policy::Policy;
use crate::policy::suggest::did_you_mean;
use crate::report::NAME;
use crate::report::text::{clip, safe_lines};

/// How much of a name that no tool knows is repeated, in characters.
const REPEATED: usize = 60;

/// A command, as a call of a tool has it.
pub struct Call {
    pub command: Command,
    pub output: cli::Output,
    pub policy: Policy,
}

impl Call {
    /// Reads the arguments of a call of the tool, which is the command `subcommand`. `own` says
    /// which configuration the server was started with.
    ///
    /// # Errors
    ///
    /// What is wrong with them or with the configuration. No password is repeated.
    pub fn read(
        spec: &Spec,
        subcommand: &str,
        own: &cli::Output,
        given: &JsonObject,
    ) -> anyhow::Result<Self> {
        let mut words = vec![NAME.into()];
        match &own.config {
            Some(file) => words.push(option("--config", file.as_os_str())),
            None if own.no_config => words.push("--no-config".into()),
            None => {}
        }
        words.push(subcommand.into());
        words.extend(words_of(spec, given));
        let read = Cli::read_from(&words).map_err(|error| usage(in_short(&error.to_string())))?;
        let cli::Read { cli: Cli { command, output }, config } = read;
        let policy = policy::policy(&output, config?)?;
        Ok(Self { command, output, policy })
    }
}

/// Says what is wrong with the arguments of a call, as far as their names and types show.
///
/// # Errors
///
/// That, and what to write instead.
pub fn check(spec: &Spec, given: &JsonObject) -> anyhow::Result<()> {
    for (name, value) in given {
        let Some(argument) = spec.arguments.iter().find(|argument| argument.name == name) else {
            let known: Vec<_> = spec.arguments.iter().map(|argument| argument.name).collect();
            let hint = did_you_mean(name, known.iter().copied());
            return Err(usage(format!(
                "{} has no argument `{}`: there are {}{hint}",
                spec.name.label(),
                clip(&masked(name), REPEATED),
                known.join(", ")
            )));
        };
        if !fits(argument.takes, value) {
            return Err(usage(format!("`{name}` must be {}", expected(argument.takes))));
        }
        if let (Takes::File, Value::String(path)) = (argument.takes, value) {
            is_saved(Path::new(path))?;
        }
    }
    match spec.arguments.iter().find(|argument| argument.is_required && !is_given(given, argument.name)) {
        Some(Argument { name, takes, .. }) => {
            Err(usage(format!("{} needs `{name}`: {}", spec.name.label(), expected(*takes))))
        }
        None => Ok(()),
    }
}

/// Refuses what is neither a file nor a folder: standard input is the client's, and a pipe or a
/// device may never end. What is not there is for whoever reads it to say.
///
/// # Errors
///
/// That it is neither.
pub fn is_saved(path: &Path) -> anyhow::Result<()> {
    match fs::metadata(path) {
        Ok(at) if !at.is_file() && !at.is_dir() => {
            Err(usage(format!("{} is neither a file nor a folder: save what is to be read", path.display())))
        }
        _ => Ok(()),
    }
}

/// Whether an argument is there. `null` is none.
pub fn is_given(given: &JsonObject, name: &str) -> bool {
    given.get(name).is_some_and(|value| !value.is_null())
}

/// The text of an argument that the tool takes itself.
pub fn text<'g>(given: &'g JsonObject, name: &str) -> Option<&'g str> {
    given.get(name).and_then(Value::as_str)
}

const fn expected(takes: Takes) -> &'static str {
    match takes {
        Takes::Text | Takes::File => "a text",
        Takes::Texts => "a list of at least one text",
        Takes::Number => "a whole number of 0 or more",
        Takes::Flag => "true or false",
    }
}

fn fits(takes: Takes, value: &Value) -> bool {
    match (takes, value) {
        (_, Value::Null) => true,
        (Takes::Text | Takes::File, value) => value.is_string(),
        (Takes::Texts, Value::Array(values)) => !values.is_empty() && values.iter().all(Value::is_string),
        (Takes::Texts, _) => false,
        (Takes::Number, value) => value.is_u64(),
        (Takes::Flag, value) => value.is_boolean(),
    }
}

/// The words that a command line has for these arguments. No value can be taken for an option:
/// each stands behind the `=` of its own, or behind `--`.
fn words_of(spec: &Spec, given: &JsonObject) -> Vec<OsString> {
    let mut options = Vec::new();
    let mut words = Vec::new();
    for argument in spec.arguments {
        let value = given.get(argument.name).unwrap_or(&Value::Null);
        match (argument.goes, value) {
            (Goes::Tool, _) | (_, Value::Null | Value::Bool(false)) => {}
            (Goes::Option(name), Value::Bool(true)) => options.push(name.into()),
            (Goes::Option(name), Value::String(text)) => options.push(option(name, text)),
            (Goes::Option(name), Value::Array(values)) => {
                options.extend(values.iter().filter_map(Value::as_str).map(|text| option(name, text)));
            }
            (Goes::Option(name), value) => options.push(option(name, value.to_string())),
            (Goes::Words, Value::Array(values)) => {
                words.extend(values.iter().filter_map(Value::as_str).map(OsString::from));
            }
            (Goes::Words, _) => {}
        }
    }
    if !words.is_empty() {
        options.push("--".into());
    }
    options.into_iter().chain(words).collect()
}

fn option(name: &str, value: impl Into<OsString>) -> OsString {
    let mut word = OsString::from(name);
    word.push("=");
    word.push(value.into());
    word
}

/// What the parser says, without what is of use at a terminal only.
fn in_short(error: &str) -> String {
    let is_of_use = |line: &&str| {
        !line.trim().is_empty() && !line.starts_with("Usage:") && !line.starts_with("For more information")
    };
    let lines: Vec<_> = error.lines().filter(is_of_use).collect();
    let text = lines.join("\n");
    safe_lines(text.strip_prefix("error: ").unwrap_or(&text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn words(tool: &str, given: &Value) -> Vec<OsString> {
        words_of(Spec::find(tool).expect("it is there"), given.as_object().expect("an object"))
    }

    #[test]
    fn no_value_is_taken_for_an_option() {
        let given =
            json!({"evidence": ["--output=json=/tmp/x", "-"], "max_memory": "--help", "task": "--quiet"});
        assert_eq!(words("diagnose", &given), ["--max-memory=--help", "--", "--output=json=/tmp/x", "-"]);
        let given = json!({"queues": ["--watch"], "all": true, "limit": null});
        assert_eq!(words("inspect_queue", &given), ["--all", "--", "--watch"]);
        let given = json!({"all": false, "limit": 7, "select": ["TL3", "TL4"]});
        assert_eq!(words("inspect_queue", &given), ["--limit=7", "--select=TL3", "--select=TL4"]);
    }

    #[test]
    fn what_is_wrong_with_arguments_is_said_without_their_values() {
        let said = |tool: &str, given: Value| {
            let spec = Spec::find(tool).expect("it is there");
            check(spec, given.as_object().expect("an object")).map_err(|error| error.to_string())
        };
        assert_eq!(said("explain", json!({})), Ok(()));
        assert_eq!(
            said("diagnose", json!({})).unwrap_err(),
            "diagnose needs `evidence`: a list of at least one text"
        );
        let unknown = said("inspect_queue", json!({"brokr": "redis://:secret@h"})).unwrap_err();
        assert!(unknown.contains("did you mean `broker`") && !unknown.contains("secret"), "{unknown}");
        let wrong = said("inspect_queue", json!({"broker": ["redis://:secret@h"]})).unwrap_err();
        assert_eq!(wrong, "`broker` must be a text");
        assert!(said("inspect_queue", json!({"limit": -1})).is_err());
        assert!(said("diagnose", json!({"evidence": []})).is_err());
    }
}

//! `tracelink config`, and how a configuration completes a command line.

use std::ffi::OsStr;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command};

use super::secret::Secret;
use crate::config::Setting;

/// What the configuration says, and where each value comes from
///
/// The nearest tracelink.toml counts, or pyproject.toml with a table
/// [tool.tracelink], upwards from here. The command line comes before the
/// environment, and that before the file. Passwords are hidden.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  tracelink config
  tracelink config --format json
  tracelink config --config ci/tracelink.toml                another file

docs/configuration.md has all keys.")]
pub struct ShowConfig {
    #[arg(long, env = "TRACELINK_BROKER", hide = true, hide_env_values = true, value_name = "URL")]
    pub broker: Option<Secret>,
    /// Whether `--format` and `--fail-on` were typed.
    #[arg(skip)]
    pub is_format_typed: bool,
    #[arg(skip)]
    pub is_fail_on_typed: bool,
}

/// The command with the settings of a file as its defaults, so that what was typed
/// or is in the environment comes first. `matches` are those without the file.
pub fn complete(command: Command, matches: &ArgMatches, settings: &[Setting]) -> Command {
    let Some((name, given)) = matches.subcommand() else { return command };
    let is_config = name == "config";
    // A command gets a receiver of its own, on a port that is free. Several may run at a time.
    let has_command = given.try_contains_id("command").is_ok_and(|has| has);
    let is_port =
        |setting: &&Setting| matches!(setting.key.name, "grpc" | "http" | "web" | "control" | "metrics");
    let mut command = command;
    for setting in settings.iter().filter(|setting| !(has_command && is_port(setting))) {
        let id = setting.key.name.replace('-', "_");
        let value = setting.value.clone();
        if setting.key.commands.is_empty() && !(is_config && id == "format") {
            command = command.mut_arg(&id, |arg| arg.default_value(value));
        } else if setting.key.commands.contains(&name) {
            let is_empty_variable = is_empty_variable(given, &id);
            command = command.mut_subcommand(name, |command| {
                command.mut_arg(&id, |arg| {
                    let arg = arg.default_value(value);
                    if is_empty_variable { arg.env(None::<&str>) } else { arg }
                })
            });
        }
    }
    command
}

/// A variable that is empty is none, so the file comes before it.
fn is_empty_variable(given: &ArgMatches, id: &str) -> bool {
    given.value_source(id) == Some(ValueSource::EnvVariable)
        && given.get_raw(id).is_some_and(|mut values| values.all(OsStr::is_empty))
}

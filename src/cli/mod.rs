//! The command line: only parsing and validation. Doing happens once, later.
//!
//! Each command has a file, and what several of them share has another.

mod broker;
mod completions;
mod config;
mod demo;
mod diagnose;
mod evidence;
mod explain;
mod inspect_queue;
mod listen;
mod man;
mod mcp;
mod output;
mod secret;
mod store;
mod values;

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::{Choice, Config, Error as ConfigError, masked};

pub use self::broker::{BesideBroker, Naming};
pub use self::completions::Completions;
pub use self::config::ShowConfig;
pub use self::demo::{App, Demo};
pub use self::diagnose::Diagnose;
pub use self::evidence::EvidencePlace;
pub use self::explain::Explain;
pub use self::inspect_queue::InspectQueue;
pub use self::listen::Listen;
pub use self::man::Man;
pub use self::mcp::Mcp;
pub use self::output::{Destination, FailOn, Output, OutputTo, Reports, Selection};
pub use self::secret::Secret;
pub use self::store::{Asking, OfStore, WatchedStore};

/// Says why a distributed trace breaks between a web API and its Celery worker,
/// and how to mend it.
#[derive(Parser, Debug)]
#[command(name = "tracelink", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub output: Output,
}

/// The command line, with the configuration that it was completed by.
pub struct Read {
    pub cli: Cli,
    /// Where it cannot be read, the command line is as it was written.
    pub config: Result<Config, ConfigError>,
}

impl Cli {
    /// Reads this process's arguments, and ends it where they are wrong, as
    /// [`Parser::parse`] does; but repeats no password, such as that of a URL
    /// without its option. What they and the environment leave open is that of the
    /// configuration.
    pub fn read() -> Read {
        Self::complete(clap::Command::try_get_matches).unwrap_or_else(|error| error.exit())
    }

    /// The same of arguments that are not this process's: `words` begins with a name for the
    /// program.
    ///
    /// # Errors
    ///
    /// What is wrong with them, without a password.
    pub fn read_from(words: &[OsString]) -> Result<Read, clap::Error> {
        Self::complete(|command| command.try_get_matches_from(words))
    }

    fn complete(
        matches: impl Fn(clap::Command) -> Result<ArgMatches, clap::Error>,
    ) -> Result<Read, clap::Error> {
        let read = || {
            let given = matches(Self::command())?;
            let cli = Self::from_arg_matches(&given)?;
            let config = match cli.choice() {
                Some(choice) => Config::load(&choice),
                None => Ok(Config::default()),
            };
            let command = match &config {
                Ok(config) => self::config::complete(Self::command(), &given, &config.settings),
                Err(_) => Self::command(),
            };
            let given = matches(command)?;
            let cli = Self::from_arg_matches(&given)?.checked(&given)?;
            Ok(Read { cli, config })
        };
        read().map_err(without_passwords)
    }

    /// Which configuration is to be read, where the command has any use for it.
    fn choice(&self) -> Option<Choice> {
        match (&self.command, &self.output) {
            (
                // Each call of an agent reads it anew.
                Command::Mcp(_)
                | Command::Explain(_)
                | Command::Completions(_)
                | Command::Man(_)
                | Command::DemoProcess,
                _,
            ) => None,
            (_, Output { no_config: true, .. }) => Some(Choice::Nothing),
            (_, Output { config: Some(file), .. }) => Some(Choice::File(file.clone())),
            _ => Some(Choice::Nearest),
        }
    }

    /// The same, where its parts go together.
    fn checked(mut self, matches: &ArgMatches) -> Result<Self, clap::Error> {
        let of_command = matches.subcommand().map(|(_, matches)| matches);
        let is_typed = |id: &str| {
            let source = of_command
                .filter(|matches| matches.try_contains_id(id).is_ok())
                .and_then(|matches| matches.value_source(id));
            source == Some(ValueSource::CommandLine)
        };
        let reports = match &mut self.command {
            Command::InspectQueue(InspectQueue { reports, .. }) | Command::Demo(Demo { reports, .. }) => {
                Some(reports)
            }
            Command::Diagnose(diagnose) => Some(&mut diagnose.reports),
            Command::Listen(listen) => Some(&mut listen.reports),
            Command::Config(config) => {
                config.is_format_typed = is_typed("format");
                config.is_fail_on_typed = is_typed("fail_on");
                None
            }
            Command::Mcp(_)
            | Command::Explain(_)
            | Command::Completions(_)
            | Command::Man(_)
            | Command::DemoProcess => None,
        };
        if let Some(reports) = reports {
            self.output.outputs = std::mem::take(&mut reports.output);
            self.output.selection = std::mem::take(&mut reports.selection);
        }
        if let Some(complaint) = self.output.complaint(is_typed("format")) {
            return Err(Self::command().error(ErrorKind::ArgumentConflict, complaint));
        }
        // A broker may be the configuration's, so clap cannot demand it.
        if let Command::Listen(listen) = &self.command
            && listen.broker.is_none()
            && let Some(option) = listen::OF_A_BROKER.iter().find(|(id, _)| is_typed(id))
        {
            let complaint = format!("{} needs a broker to look at: --broker <URL>", option.1);
            return Err(Self::command().error(ErrorKind::MissingRequiredArgument, complaint));
        }
        if let Command::Listen(listen) = &self.command {
            let is_watched = listen.store.from.is_some();
            let complaint = if is_watched {
                store::OF_PORTS.iter().find(|(id, _)| is_typed(id)).map(|(_, why)| (*why).to_owned())
            } else {
                let option = listen.store.first_given();
                option.map(|option| format!("{option} needs a store to watch: --from clickhouse://…"))
            };
            if let Some(complaint) = complaint {
                return Err(Self::command().error(ErrorKind::ArgumentConflict, complaint));
            }
        }
        Ok(self)
    }
}

/// What is wrong with arguments, with no password repeated.
fn without_passwords(mut error: clap::Error) -> clap::Error {
    let texts = error.context().filter_map(|(kind, value)| match value {
        ContextValue::String(text) => Some((kind, ContextValue::String(masked(text)))),
        _ => None,
    });
    for (kind, text) in texts.collect::<Vec<_>>() {
        error.insert(kind, text);
    }
    if let Some(tip) = listen::tip(&error) {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

const EXAMPLES: &str = "\
Examples:
  tracelink demo                                 a sample order, healthy or broken in every way
  tracelink listen                               receive spans, and say why traces break
  tracelink listen -- pytest -q                  the same for one command, with its exit code
  tracelink inspect-queue                        look into the queues of the local Redis
  tracelink diagnose spans.jsonl redis.jsonl     say why, from saved evidence
  tracelink explain propagator-mismatch          what it means, and how to fix it
  tracelink mcp                                  the same for an agent, which starts it itself

Exit codes: 0 nothing at or above --fail-on, 1 findings, 2 usage, 3 no evidence,
4 the environment (broker, files), 130 interrupted.";

#[derive(Subcommand, Debug)]
pub enum Command {
    InspectQueue(InspectQueue),
    Listen(Box<Listen>),
    Demo(Demo),
    Diagnose(Box<Diagnose>),
    Explain(Explain),
    Mcp(Mcp),
    Config(ShowConfig),
    Completions(Completions),
    Man(Man),
    /// A process of the demo, which starts it itself
    #[command(name = "demo-process", hide = true)]
    DemoProcess,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_argument_that_may_hold_a_password_is_in_its_debug() {
        let broker = ["--broker=redis://:secret@a", "--result-backend=redis://:secret@b"];
        let forward = ["--forward=http://u:secret@c", "--forward-headers=key=secret"];
        for args in [
            &["tracelink", "listen", broker[0], broker[1], forward[0], forward[1]][..],
            &["tracelink", "inspect-queue", broker[0], broker[1]],
            &["tracelink", "listen", "--from=clickhouse://u:secret@h:8123/otel"],
            &["tracelink", "diagnose", "clickhouse://u:secret@h:8123/otel"],
        ] {
            let shown = format!("{:?}", Cli::try_parse_from(args).expect("valid"));
            assert!(shown.contains("***") && !shown.contains("secret"), "{shown}");
        }
    }
}

//! The command line: only parsing and validation. Doing happens once, later.
//!
//! Each command has a file, and what several of them share has another.

mod broker;
mod demo;
mod diagnose;
mod explain;
mod inspect_queue;
mod listen;
mod output;
mod secret;
mod values;

use clap::error::{ContextValue, ErrorKind};
use clap::{CommandFactory, Parser, Subcommand};

use self::secret::masked;

pub use self::broker::Naming;
pub use self::demo::{App, Demo};
pub use self::diagnose::Diagnose;
pub use self::explain::Explain;
pub use self::inspect_queue::InspectQueue;
pub use self::listen::Listen;
pub use self::output::{Destination, FailOn, Output, OutputTo, Reports};
pub use self::secret::Secret;

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

impl Cli {
    /// Reads this process's arguments, and ends it where they are wrong, as
    /// [`Parser::parse`] does; but repeats no password, such as that of a URL
    /// without its option.
    pub fn read() -> Self {
        Self::try_parse().and_then(Self::checked).unwrap_or_else(|mut error| {
            let texts = error.context().filter_map(|(kind, value)| match value {
                ContextValue::String(text) => Some((kind, ContextValue::String(masked(text)))),
                _ => None,
            });
            for (kind, text) in texts.collect::<Vec<_>>() {
                error.insert(kind, text);
            }
            error.exit()
        })
    }

    /// The same, where its parts go together.
    fn checked(mut self) -> Result<Self, clap::Error> {
        self.output.outputs = match &mut self.command {
            Command::InspectQueue(InspectQueue { reports, .. })
            | Command::Demo(Demo { reports, .. })
            | Command::Diagnose(Diagnose { reports, .. }) => std::mem::take(&mut reports.output),
            Command::Listen(listen) => std::mem::take(&mut listen.reports.output),
            Command::Explain(_) | Command::DemoProcess => Vec::new(),
        };
        match self.output.complaint() {
            Some(complaint) => Err(Self::command().error(ErrorKind::ArgumentConflict, complaint)),
            None => Ok(self),
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  tracelink demo                                 a sample order, healthy or broken in every way
  tracelink listen                               receive spans, and say why traces break
  tracelink listen -- pytest -q                  the same for one command, with its exit code
  tracelink inspect-queue                        look into the queues of the local Redis
  tracelink diagnose spans.jsonl redis.jsonl     say why, from saved evidence
  tracelink explain propagator-mismatch          what it means, and how to fix it

Exit codes: 0 nothing at or above --fail-on, 1 findings, 2 usage, 3 no evidence,
4 the environment (broker, files), 130 interrupted.";

#[derive(Subcommand, Debug)]
pub enum Command {
    InspectQueue(InspectQueue),
    Listen(Box<Listen>),
    Demo(Demo),
    Diagnose(Diagnose),
    Explain(Explain),
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
        ] {
            let shown = format!("{:?}", Cli::try_parse_from(args).expect("valid"));
            assert!(shown.contains("***") && !shown.contains("secret"), "{shown}");
        }
    }
}

//! What each command does. It wires the rooms together, and decides nothing.

mod demo;
mod diagnose;
mod explain;
mod inspect_queue;
mod keep;
mod listen;
mod progress;
mod save;
mod session;
mod suggest;
mod watching;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;

use crate::broker::redis::UrlError;
use crate::bundle::Notice;
use crate::cli::{Cli, Command, FailOn, Format, Output};
use crate::model::{Report, Severity, Status};
use crate::receiver::ForwardError;
use crate::report::human::{Verbosity, View};
use crate::report::text::{safe, safe_lines};
use crate::report::{self, Subject};

/// How a run ended: the documented exit codes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// Nothing at or above `--fail-on`.
    Fine,
    /// Findings at or above `--fail-on`.
    Findings,
    /// Nothing received, no messages, nothing to judge.
    NoEvidence,
    /// The environment: a broker, a port, a file.
    Environment,
    /// The command line is wrong.
    Usage,
    Interrupted,
    /// The wrapped command failed by itself, with this code.
    Command(u8),
}

impl Exit {
    pub const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Findings => 1,
            Self::Usage => 2,
            Self::NoEvidence => 3,
            Self::Environment => 4,
            Self::Interrupted => 130,
            Self::Command(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// What is wrong with the command line, where only a command can tell.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

/// An error of the command line's.
fn usage(what: impl Into<String>) -> anyhow::Error {
    Usage(what.into()).into()
}

/// How a run that failed ends.
pub fn exit_of_error(error: &anyhow::Error) -> Exit {
    let is_usage = |cause: &(dyn std::error::Error + 'static)| {
        cause.is::<Usage>()
            || cause.is::<UrlError>()
            || cause.downcast_ref::<ForwardError>().is_some_and(ForwardError::is_usage)
    };
    if error.chain().any(is_usage) { Exit::Usage } else { Exit::Environment }
}

/// Runs the command.
///
/// # Errors
///
/// What is wrong with the command line or the environment, with the place and
/// the remedy. Of the environment a machine format has said it in a report by
/// then.
pub fn run(cli: Cli) -> anyhow::Result<Exit> {
    set_color(cli.output.color);
    let output = cli.output.clone();
    let done = match cli.command {
        Command::InspectQueue(args) => inspect_queue::run(&args, &cli.output),
        Command::Listen(args) => listen::run(&args, &cli.output),
        Command::Diagnose(args) => diagnose::run(&args, &cli.output),
        Command::Explain(args) => explain::run(&args),
        Command::Demo(args) => demo::run(&args, &cli.output),
        Command::DemoProcess => demo::run_process(),
    };
    if let Err(error) = &done
        && output.format != Format::Human
        && !is_broken_pipe(error)
        && exit_of_error(error) == Exit::Environment
    {
        let report = Report { error: Some(format!("{error:#}")), ..Report::default() };
        print(&report, &output, Subject::Handoffs, None, Exit::Environment)?;
    }
    done
}

/// Whether somebody closed the pipe: whoever does has seen enough, and that is
/// no error.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}

/// `--color` comes before `NO_COLOR` and `CLICOLOR_FORCE`, which `auto` heeds.
fn set_color(choice: clap::ColorChoice) {
    match choice {
        clap::ColorChoice::Auto => anstream::ColorChoice::Auto,
        clap::ColorChoice::Always => anstream::ColorChoice::Always,
        clap::ColorChoice::Never => anstream::ColorChoice::Never,
    }
    .write_global();
}

/// Says something on standard error. Names of files, keys and hosts come from
/// outside, so it is made safe for a terminal here, once for all; and nobody who
/// closed the pipe is told so.
pub fn say(text: &str) {
    let _ = writeln!(anstream::stderr(), "{}", safe_lines(text));
}

/// Tells on standard error what was passed over, and where.
fn tell_notices(notices: &[Notice], output: &Output) {
    const SHOWN: usize = 10;
    let told: Vec<_> = notices.iter().filter(|notice| output.verbose || !notice.is_expected).collect();
    let shown = if output.verbose { told.len() } else { SHOWN.min(told.len()) };
    for Notice { path, line, what, .. } in &told[..shown] {
        let line = line.map(|line| format!(":{line}")).unwrap_or_default();
        let path = safe(&path.to_string_lossy());
        say(&format!("tracelink: {path}{line}: {}", safe(what)));
    }
    if shown < told.len() {
        say(&format!("tracelink: … and {} more (--verbose)", told.len() - shown));
    }
}

/// How the run ends by what the report says. That nothing came is no verdict,
/// whatever is said of it.
fn exit_of(report: &Report, fail_on: FailOn) -> Exit {
    match report.verdict.status {
        Status::NoEvidence => Exit::NoEvidence,
        _ if fails(report, fail_on) => Exit::Findings,
        _ => Exit::Fine,
    }
}

/// Whether there is a finding at or above the severity that was asked for.
fn fails(report: &Report, fail_on: FailOn) -> bool {
    let least = match fail_on {
        FailOn::Error => Some(Severity::Error),
        FailOn::Warning => Some(Severity::Warning),
        FailOn::Note => Some(Severity::Note),
        FailOn::Never => None,
    };
    least.is_some_and(|least| report.findings.iter().any(|finding| finding.severity <= least))
}

/// Writes the report to standard output.
fn print(
    report: &Report,
    output: &Output,
    subject: Subject,
    broker: Option<String>,
    exit: Exit,
) -> anyhow::Result<()> {
    let format = match output.format {
        Format::Human => report::Format::Human,
        Format::Json => report::Format::Json,
        Format::Jsonl => report::Format::Jsonl,
    };
    let view = view(output, broker, exit);
    let mut out = io::BufWriter::new(anstream::stdout());
    let written = report::write(report, format, subject, &view, &mut out).and_then(|()| out.flush());
    written.context(STDOUT)
}

/// What is said where it is full, say.
const STDOUT: &str = "cannot write to standard output";

/// How a person is shown things.
fn view(output: &Output, broker: Option<String>, exit: Exit) -> View {
    let verbosity = match (output.quiet, output.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    };
    View { width: terminal_width(), verbosity, broker, exit_code: exit.code() }
}

/// The width of the terminal; 80 columns where there is none.
fn terminal_width() -> usize {
    const NARROWEST: usize = 60;
    const NO_TERMINAL: usize = 80;
    terminal_size::terminal_size().map_or(NO_TERMINAL, |(width, _)| usize::from(width.0).max(NARROWEST))
}

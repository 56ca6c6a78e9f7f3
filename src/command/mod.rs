//! What each command does. It wires the rooms together, and decides nothing.

mod demo;
mod diagnose;
mod explain;
mod inspect_queue;
mod progress;
mod save;

use std::io::{self, Write};
use std::process::ExitCode;

use crate::bundle::Notice;
use crate::cli::{Cli, Command, FailOn, Format, Output};
use crate::model::{Report, Severity, Status};
use crate::report::human::{Verbosity, View};
use crate::report::text::safe;
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
    Interrupted,
}

impl Exit {
    pub const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Findings => 1,
            Self::NoEvidence => 3,
            Self::Environment => 4,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Runs the command.
///
/// # Errors
///
/// What is wrong with the environment, with the place and the remedy. A
/// machine format has said it in a report by then.
pub fn run(cli: Cli) -> anyhow::Result<Exit> {
    set_color(cli.output.color);
    let output = cli.output.clone();
    let done = match cli.command {
        Command::InspectQueue(args) => inspect_queue::run(&args, &cli.output),
        Command::Diagnose(args) => diagnose::run(&args, &cli.output),
        Command::Explain(args) => explain::run(&args),
        Command::DemoProcess => demo::run_process(),
    };
    if let Err(error) = &done
        && output.format != Format::Human
        && !is_broken_pipe(error)
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

/// Tells on standard error what was passed over, and where.
fn tell_notices(notices: &[Notice], output: &Output) {
    const SHOWN: usize = 10;
    let told: Vec<_> = notices.iter().filter(|notice| output.verbose || !notice.is_expected).collect();
    let shown = if output.verbose { told.len() } else { SHOWN.min(told.len()) };
    for Notice { path, line, what, .. } in &told[..shown] {
        let line = line.map(|line| format!(":{line}")).unwrap_or_default();
        anstream::eprintln!("tracelink: {}{line}: {}", path.display(), safe(what));
    }
    if shown < told.len() {
        anstream::eprintln!("tracelink: … and {} more (--verbose)", told.len() - shown);
    }
}

/// How the run ends by what the report says.
fn exit_of(report: &Report, fail_on: FailOn) -> Exit {
    let least = match fail_on {
        FailOn::Error => Some(Severity::Error),
        FailOn::Warning => Some(Severity::Warning),
        FailOn::Note => Some(Severity::Note),
        FailOn::Never => None,
    };
    if least.is_some_and(|least| report.findings.iter().any(|finding| finding.severity <= least)) {
        return Exit::Findings;
    }
    if report.verdict.status == Status::NoEvidence { Exit::NoEvidence } else { Exit::Fine }
}

/// Writes the report to standard output.
fn print(
    report: &Report,
    output: &Output,
    subject: Subject,
    broker: Option<String>,
    exit: Exit,
) -> io::Result<()> {
    let format = match output.format {
        Format::Human => report::Format::Human,
        Format::Json => report::Format::Json,
        Format::Jsonl => report::Format::Jsonl,
    };
    let verbosity = match (output.quiet, output.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    };
    let view = View { width: terminal_width(), verbosity, broker, exit_code: exit.code() };
    let mut out = io::BufWriter::new(anstream::stdout());
    report::write(report, format, subject, &view, &mut out)?;
    out.flush()
}

/// The width of the terminal; 80 columns where there is none.
fn terminal_width() -> usize {
    const NARROWEST: usize = 60;
    const NO_TERMINAL: usize = 80;
    terminal_size::terminal_size().map_or(NO_TERMINAL, |(width, _)| usize::from(width.0).max(NARROWEST))
}

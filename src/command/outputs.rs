//! The outputs of a run. Each is a format and a place, and gets every event and the report.

use std::io::{self, Write};
use std::path::PathBuf;

use anstream::StripStream;

use super::called;
use super::exit::{Exit, is_broken_pipe};
use super::place::Place;
use crate::cli::{self, FailOn};
use crate::model::{Event, Report, Severity};
use crate::policy::Policy;
use crate::report::{Form, Format, FormatName, NAME, Subject, Verbosity, View};

/// The outputs of a run. The one to standard output is the last, so that a
/// person sees the report last.
#[derive(Default)]
pub struct Outputs {
    outputs: Vec<Output>,
    /// Which findings are reported.
    pub policy: Policy,
    /// Whether a command has the terminal, so that people see everything at the end.
    waits: bool,
}

struct Output {
    name: FormatName,
    format: Box<dyn Format>,
    place: Place,
    view: View,
    /// Whether the report is written.
    is_done: bool,
    /// Whether the reader closed the pipe.
    is_closed: bool,
}

impl Output {
    fn is_prose(&self) -> bool {
        self.format.form() == Some(Form::Prose)
    }
}

impl Outputs {
    /// Opens what the command line names. If one output cannot be opened, the others are
    /// open all the same, so that they can say so.
    ///
    /// # Errors
    ///
    /// The first file that cannot be written.
    pub fn open(&mut self, args: &cli::Output) -> anyhow::Result<()> {
        let mut failed = Ok(());
        for to in args.destinations() {
            let format = to.format.writer();
            match Place::open(&to.destination, format.streams()) {
                Ok(place) => {
                    let view = if place.is_stdout() { view(args) } else { view_of_text(args) };
                    let name = to.format;
                    self.outputs.push(Output { name, format, place, view, is_done: false, is_closed: false });
                }
                Err(error) => failed = failed.and(Err(error)),
            }
        }
        failed
    }

    /// Whether standard output is for a person, so that other text may appear there too.
    pub fn tells_people(&self) -> bool {
        self.outputs.iter().any(|output| output.place.is_stdout() && output.is_prose())
    }

    /// From now on a command has the terminal: people see everything at the end.
    pub fn wait(&mut self) {
        self.waits = true;
    }

    /// The evidence comes from these files and folders.
    pub fn read_from(&mut self, evidence: &[PathBuf]) {
        self.outputs.iter_mut().for_each(|output| output.view.evidence = evidence.to_vec());
    }

    /// Begins the events: files lose what they held of an earlier run.
    ///
    /// # Errors
    ///
    /// The error of the first place that cannot be written.
    pub fn begin(&mut self) -> anyhow::Result<()> {
        self.each(
            |Output { format, place, .. }| if format.streams() { place.write(|_| Ok(())) } else { Ok(()) },
        )
    }

    /// How many groups of traces the next round is to bring.
    pub fn traces_a_round(&mut self) -> usize {
        let waits = self.waits;
        let each = self.outputs.iter_mut().map(|output| output.format.traces_a_round());
        each.max().filter(|_| !waits).unwrap_or_default()
    }

    /// Writes the events of a round, which have passed through the policy, and that this
    /// many groups of traces are not among them.
    ///
    /// # Errors
    ///
    /// The error of the first place that cannot be written.
    pub fn events(&mut self, events: &[Event], not_shown: u64) -> anyhow::Result<()> {
        let waits = self.waits;
        self.each(|Output { format, place, view, .. }| {
            if !format.streams() || (waits && format.form() == Some(Form::Prose)) {
                return Ok(());
            }
            place.write(|out| format.events(events, not_shown, view, out))
        })
    }

    /// Writes a report that follows no events.
    ///
    /// # Errors
    ///
    /// The error of the first place that cannot be written; the others have the report all
    /// the same.
    pub fn report(
        &mut self,
        report: &Report,
        subject: Subject,
        broker: Option<String>,
        exit: Exit,
    ) -> anyhow::Result<()> {
        self.each(|Output { format, place, view, is_done, .. }| {
            view.broker.clone_from(&broker);
            view.exit_code = exit.code();
            place.write(|out| format.report(report, subject, view, out))?;
            *is_done = true;
            Ok(())
        })
    }

    /// Ends the events with the report.
    ///
    /// # Errors
    ///
    /// As [`Self::report`].
    pub fn end(&mut self, report: &Report, exit: Exit) -> anyhow::Result<()> {
        self.each(|Output { format, place, view, is_done, .. }| {
            view.exit_code = exit.code();
            place.write(|out| format.end(report, view, out))?;
            *is_done = true;
            Ok(())
        })
    }

    /// Another report follows. It replaces the previous one in outputs that cannot hold
    /// two.
    pub fn again(&mut self) {
        self.outputs.iter_mut().for_each(|output| output.is_done = false);
    }

    /// Writes to each output why there is no report. A person at standard output sees it on
    /// standard error.
    pub fn fail(&mut self, error: &str) {
        let exit_code = Exit::Environment.code();
        let report = Report { error: Some(error.to_owned()), ..Report::default() };
        // If this cannot be written either, a second error is of no use.
        let _ = self.each(|output| {
            if output.is_done || (output.place.is_stdout() && output.is_prose()) {
                return Ok(());
            }
            let Output { format, place, view, .. } = output;
            view.exit_code = exit_code;
            place.write(|out| format.report(&report, Subject::Handoffs, view, out))
        });
    }

    /// The format of an output that can only write reports.
    pub fn only_reports(&self) -> Option<FormatName> {
        self.outputs.iter().find(|output| output.format.form().is_none()).map(|output| output.name)
    }

    /// Writes something other than a report to each output, in the form of its format.
    /// `write` gets the number of columns.
    ///
    /// # Errors
    ///
    /// As [`Self::report`].
    pub fn table(
        &mut self,
        mut write: impl FnMut(Form, usize, &mut dyn Write) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        self.each(|Output { format, place, view, .. }| match format.form() {
            Some(form) => place.write(|out| write(form, view.width, out)),
            None => Ok(()),
        })
    }

    /// Does the same with each output. An output whose pipe was closed is left out from
    /// then on; that is an error only if no other is left.
    fn each(&mut self, mut act: impl FnMut(&mut Output) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let mut failed = Ok(());
        let mut closed = Ok(());
        for output in self.outputs.iter_mut().filter(|output| !output.is_closed) {
            if output.place.is_stdout() {
                // A person may have changed the size of the window.
                output.view.width = terminal_width();
            }
            match act(output) {
                Ok(()) => {}
                Err(error) if is_broken_pipe(&error) => {
                    output.is_closed = true;
                    closed = Err(error);
                }
                Err(error) => failed = failed.and(Err(error)),
            }
        }
        let is_nobody_left = self.outputs.iter().all(|output| output.is_closed);
        failed.and(if is_nobody_left { closed } else { Ok(()) })
    }
}

/// A report that follows no events, as text without colour.
///
/// # Errors
///
/// What the format says.
pub fn in_plain_text(
    format: FormatName,
    report: &Report,
    subject: Subject,
    view: &View,
) -> io::Result<Vec<u8>> {
    let mut text = StripStream::new(Vec::new());
    format.writer().report(report, subject, view, &mut text)?;
    Ok(text.into_inner())
}

/// How wide output that is not for a terminal may be, in columns.
const NO_TERMINAL: usize = 80;

/// How what is not shown at the terminal is written: not as wide as that happens to be,
/// and for a reader who may stand elsewhere.
pub fn view_of_text(args: &cli::Output) -> View {
    View { program: NAME.to_owned(), width: NO_TERMINAL, ..view(args) }
}

/// The width of the terminal, in columns; 80 where there is none.
pub fn terminal_width() -> usize {
    const NARROWEST: usize = 60;
    terminal_size::terminal_size().map_or(NO_TERMINAL, |(width, _)| usize::from(width.0).max(NARROWEST))
}

/// The style for a person at the terminal.
pub fn view(args: &cli::Output) -> View {
    let verbosity = match (args.quiet, args.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    };
    let fails_at = match args.fail_on {
        FailOn::Error | FailOn::Never => Severity::Error,
        FailOn::Warning => Severity::Warning,
        FailOn::Note => Severity::Note,
    };
    View {
        program: called(),
        width: terminal_width(),
        verbosity,
        broker: None,
        evidence: Vec::new(),
        fails_at,
        exit_code: 0,
    }
}

//! What a format is, and what it gets in addition to the report.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::model::{Event, Report, Severity};

/// One way to write the events of a run and its report.
///
/// A new format is one file that implements this, and one line in
/// [`FormatName`](super::FormatName). The caller decides where the text goes.
pub trait Format: Send {
    /// Whether it is written as things happen, so that a part of it is worth reading. A
    /// format that does not stream gets only the report, and its file is either complete or
    /// absent.
    fn streams(&self) -> bool {
        false
    }

    /// How it writes something other than a report, such as the list of the demo's faults;
    /// `None` if it cannot.
    fn form(&self) -> Option<Form> {
        None
    }

    /// What it is, to a program that is sent it:
    /// <https://www.iana.org/assignments/media-types/>.
    fn media_type(&self) -> &'static str {
        "text/plain; charset=utf-8"
    }

    /// How many groups of traces it takes in the round that comes now. It is
    /// asked once a round.
    fn traces_a_round(&mut self) -> usize {
        0
    }

    /// Writes the events of a round. Another output may take more groups of traces than
    /// this one; `not_shown` counts those that no output got.
    ///
    /// # Errors
    ///
    /// What the writer says.
    fn events(
        &mut self,
        events: &[Event],
        not_shown: u64,
        view: &View,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let _ = (events, not_shown, view, out);
        Ok(())
    }

    /// Writes a report that follows no events. It may only say, in its `error`, why there
    /// is nothing to report.
    ///
    /// # Errors
    ///
    /// What the writer says.
    fn report(
        &mut self,
        report: &Report,
        subject: Subject,
        view: &View,
        out: &mut dyn Write,
    ) -> io::Result<()>;

    /// Ends the events of a run with its report.
    ///
    /// # Errors
    ///
    /// What the writer says.
    fn end(&mut self, report: &Report, view: &View, out: &mut dyn Write) -> io::Result<()> {
        self.report(report, Subject::Handoffs, view, out)
    }
}

/// How a format writes something other than a report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// As text for a person, which may be among other text.
    Prose,
    /// As one document of JSON.
    Document,
    /// As JSON, one value on each line.
    Lines,
}

/// What a report is about. This decides what a person sees first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subject {
    /// A queue: its messages.
    Queue,
    /// Hand-offs: their trees.
    Handoffs,
    /// What the demo ran. A person has followed it so far.
    Demo,
}

/// How a report is shown.
#[derive(Clone, Debug)]
pub struct View {
    /// How a tracelink command begins, so that it works as printed for whoever reads this;
    /// [`NAME`] if that is not known. It is quoted for a shell.
    pub program: String,
    /// In columns. Everything fits 80, and uses more if there is more.
    pub width: usize,
    pub verbosity: Verbosity,
    /// The broker's URL, masked, if one was looked at.
    pub broker: Option<String>,
    /// The files and folders that the evidence was read from, as the user named them.
    pub evidence: Vec<PathBuf>,
    /// The lowest severity that fails a run. If none does, errors.
    pub fails_at: Severity,
    /// The exit code that the run ends with.
    pub exit_code: u8,
}

/// A run without options, which found nothing, for a reader who may stand elsewhere.
impl Default for View {
    fn default() -> Self {
        Self {
            program: NAME.to_owned(),
            width: 80,
            verbosity: Verbosity::Normal,
            broker: None,
            evidence: Vec::new(),
            fails_at: Severity::Error,
            exit_code: 0,
        }
    }
}

/// The name of this program.
pub const NAME: &str = "tracelink";

impl View {
    /// A line to paste as it works where the reader stands: another one than a command
    /// of tracelink's is left as it is.
    pub fn as_typed(&self, line: &str) -> String {
        match line.strip_prefix(NAME) {
            Some(rest) if rest.starts_with(' ') => format!("{}{rest}", self.program),
            _ => line.to_owned(),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Verbosity {
    /// The verdict and the findings.
    Quiet,
    Normal,
    /// Notes in full, and every message that is listed.
    Verbose,
}

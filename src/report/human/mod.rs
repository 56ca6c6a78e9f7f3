//! For people: the verdict, the broken spot marked, the evidence quoted, the
//! fix ready to paste.
//!
//! All I/O is handed in, so that what people see is snapshot-tested. Every
//! text from outside goes through [`super::text`].

mod findings;
mod live;
mod messages;
mod paint;
mod queues;
mod stations;
mod summary;
mod trees;

use std::io::{self, Write};

use crate::model::{Report, Severity};

pub use live::Live;
pub use paint::Paint;

/// How a report is shown.
#[derive(Clone, Debug)]
pub struct View {
    /// In columns. Everything fits 80, and uses more where there is more.
    pub width: usize,
    pub verbosity: Verbosity,
    /// The broker's URL, masked, where one was looked at.
    pub broker: Option<String>,
    /// The exit code that the run ends with.
    pub exit_code: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Verbosity {
    /// The verdict and the findings.
    Quiet,
    Normal,
    /// Notes in full, and every message that is listed.
    Verbose,
}

/// Writes what a look at queues found.
///
/// # Errors
///
/// What the writer says.
pub fn inspection(report: &Report, view: &View, out: &mut dyn Write) -> io::Result<()> {
    queues::header(report, view, out)?;
    if view.verbosity > Verbosity::Quiet {
        queues::shares(report, view, out)?;
        messages::list(report, view, out)?;
    }
    findings::all(report, view, out)?;
    summary::inspected(report, view, out)
}

/// Writes what waits in queues, without a verdict: more is to come.
///
/// # Errors
///
/// What the writer says.
pub fn waiting(report: &Report, view: &View, out: &mut dyn Write) -> io::Result<()> {
    queues::header(report, view, out)?;
    queues::shares(report, view, out)?;
    messages::list(report, view, out)
}

/// Writes what is known of hand-offs: for each kind that is broken, the tree
/// as it should have been; for healthy evidence, a short all-clear with a tree.
///
/// # Errors
///
/// What the writer says.
pub fn diagnosis(report: &Report, view: &View, out: &mut dyn Write) -> io::Result<()> {
    let mut told = Vec::new();
    for finding in report.findings.iter().filter(|finding| finding.severity < Severity::Note) {
        if view.verbosity > Verbosity::Quiet {
            trees::of_finding(report, finding, view, out)?;
        }
        findings::one(finding, view, out)?;
        told.push(&finding.id);
    }
    if told.is_empty() && view.verbosity > Verbosity::Quiet {
        trees::healthy(report, view, out)?;
    }
    findings::notes(report, view, out)?;
    summary::diagnosed(report, view, out)
}

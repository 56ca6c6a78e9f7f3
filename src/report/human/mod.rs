//! For people: the verdict, the broken spot marked, the evidence quoted, the
//! fix ready to paste.
//!
//! All I/O is handed in, so that what people see is snapshot-tested. Every
//! text from outside goes through [`super::text`].

mod database;
mod findings;
mod live;
mod messages;
mod one_line;
mod policy;
mod queues;
mod stations;
mod style;
mod summary;
mod trees;

use std::io::{self, Write};

use super::format::{Form, Format, Subject, Verbosity, View};
use super::short_ids::ShortIds;
use super::text::safe_lines;
use crate::model::{Event, Finding, Report, Severity};

use live::Live;

pub use style::Stylize;

/// Writes for a person.
pub struct Human {
    live: Live,
    /// How many groups of traces may be shown now.
    room: usize,
    rounds: usize,
    not_shown: u64,
}

impl Human {
    /// How many groups of traces are shown at once, and after how many rounds there is room
    /// for one more: nobody can read more.
    const SHOWN: usize = 10;
    const ROUNDS: usize = 2;
}

impl Default for Human {
    fn default() -> Self {
        Self { live: Live::default(), room: Self::SHOWN, rounds: 0, not_shown: 0 }
    }
}

impl Format for Human {
    fn streams(&self) -> bool {
        true
    }

    fn form(&self) -> Option<Form> {
        Some(Form::Prose)
    }

    fn traces_a_round(&mut self) -> usize {
        self.rounds += 1;
        if self.rounds.is_multiple_of(Self::ROUNDS) {
            self.room = (self.room + 1).min(Self::SHOWN);
        }
        self.room
    }

    fn events(
        &mut self,
        events: &[Event],
        not_shown: u64,
        view: &View,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let is_trace = |event: &Event| matches!(event, Event::Traces { .. });
        let traces = events.iter().filter(|event| is_trace(event)).count();
        // Mended programs are drawn, whatever else there is.
        let mended = events.iter().filter(|event| matches!(event, Event::Resolved(_))).count();
        let mut shown = traces.min(self.room.max(mended));
        self.room = self.room.saturating_sub(shown);
        self.not_shown += not_shown + (traces - shown) as u64;
        if traces - shown == events.len() {
            return Ok(());
        }
        let hidden = std::mem::take(&mut self.not_shown);
        if hidden > 0 && view.verbosity > Verbosity::Quiet {
            Live::not_shown(hidden, out)?;
        }
        for event in events {
            if is_trace(event) {
                if shown == 0 {
                    continue;
                }
                shown -= 1;
            }
            self.live.event(event, view, out)?;
        }
        Ok(())
    }

    fn report(
        &mut self,
        report: &Report,
        subject: Subject,
        view: &View,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        if let Some(error) = &report.error {
            return writeln!(out, "{}       exit {}", safe_lines(error), view.exit_code);
        }
        match subject {
            Subject::Queue => inspection(report, view, out),
            Subject::Handoffs => diagnosis(report, view, out),
            Subject::Demo => {
                let mut report = report.clone();
                // Its remedy is an option of `listen`, and nothing is lost here.
                report.limits.messages_not_seen = 0;
                self.live.finish(&report, view, out)
            }
        }
    }

    fn end(&mut self, report: &Report, view: &View, out: &mut dyn Write) -> io::Result<()> {
        self.live.finish(report, view, out)
    }
}

/// Writes what a look at queues found.
fn inspection(report: &Report, view: &View, out: &mut dyn Write) -> io::Result<()> {
    queues::header(report, view, out)?;
    if view.verbosity > Verbosity::Quiet {
        queues::shares(report, view, out)?;
        messages::list(report, view, out)?;
    }
    findings::all(report, view, out)?;
    summary::inspected(report, view, out)
}

/// Writes what waits in queues, without a verdict, as more is to come.
///
/// # Errors
///
/// What the writer says.
pub fn waiting(report: &Report, view: &View, out: &mut dyn Write) -> io::Result<()> {
    queues::header(report, view, out)?;
    queues::shares(report, view, out)?;
    messages::list(report, view, out)
}

/// One finding in full, with styles: `report/human/style.rs` has all sequences that occur.
pub fn finding_in_full(finding: &Finding, view: &View) -> String {
    let mut written = Vec::new();
    // Memory takes what is written.
    let _ = findings::one(finding, view, &mut written);
    String::from_utf8_lossy(&written).into_owned()
}

/// The tree of one hand-off of a finding, as text without colour.
pub(super) fn tree_of(finding: &Finding, report: &Report, view: &View) -> String {
    let ids = ShortIds::of(trees::trace_ids(report));
    let mut drawn = Vec::new();
    // Memory takes what is written.
    let _ = trees::of_finding(report, finding, &ids, view, &mut drawn);
    style::without_styles(&String::from_utf8_lossy(&drawn))
}

/// Writes what is known about hand-offs: for each broken kind, the tree as it should have
/// been; for healthy evidence, a short all-clear with a tree.
fn diagnosis(report: &Report, view: &View, out: &mut dyn Write) -> io::Result<()> {
    database::counted(report, view, out)?;
    let ids = ShortIds::of(trees::trace_ids(report));
    let mut told = Vec::new();
    for finding in report.findings.iter().filter(|finding| finding.severity < Severity::Note) {
        if view.verbosity > Verbosity::Quiet {
            trees::of_finding(report, finding, &ids, view, out)?;
        }
        findings::one(finding, view, out)?;
        told.push(&finding.id);
    }
    if told.is_empty() && view.verbosity > Verbosity::Quiet {
        trees::untold(report, &ids, view, out)?;
    }
    findings::notes(report, view, out)?;
    summary::diagnosed(report, view, out)
}

//! What a person sees while spans arrive: trees as they become whole, each
//! cause once with the broken spot marked, and a summary at the end.

use std::collections::{BTreeSet, VecDeque};
use std::io::{self, Write};

use super::style::Stylize;
use super::{database, findings, one_line, summary, trees};
use crate::model::{Event, Finding, Report, Severity, TraceId};
use crate::report::format::{Verbosity, View};
use crate::report::short_ids::ShortIds;
use crate::report::text::{count, safe, wrap};

/// Writes events for people, and remembers what was shown.
#[derive(Debug, Default)]
pub struct Live {
    /// The ids of findings that were shown in full.
    told: BTreeSet<String>,
    /// The traces that the last finding was shown with.
    just_shown: BTreeSet<TraceId>,
    has_shown: bool,
    /// Whether a whole trace was drawn since one was mended, and why traces that were drawn
    /// are unproven. What looks like them is one line.
    has_drawn_whole: bool,
    drawn_reasons: BTreeSet<&'static str>,
    /// The traces that were shown, so that no two of them look alike.
    ids: ShortIds,
    /// The last lines that traces were told in, or could have been. Traces come again with
    /// each span that is theirs, and the same line twice reads like a second passage.
    lines: VecDeque<Vec<u8>>,
}

/// How many lines are remembered.
const LINES: usize = 256;

impl Live {
    /// Writes one event.
    ///
    /// # Errors
    ///
    /// What the writer says.
    pub fn event(&mut self, event: &Event, view: &View, out: &mut dyn Write) -> io::Result<()> {
        let is_quiet = view.verbosity == Verbosity::Quiet;
        match event {
            Event::Traces { traces, handoffs } => {
                // A request that hands nothing over is not interesting here.
                let is_told = view.verbosity == Verbosity::Verbose || !handoffs.is_empty();
                let was_shown = traces.iter().any(|trace| self.just_shown.contains(&trace.trace_id));
                if is_quiet || was_shown || !is_told {
                    return Ok(());
                }
                let known = handoffs.iter().filter_map(|handoff| handoff.finding.as_ref());
                let cause = known.into_iter().find(|id| self.told.contains(*id)).cloned();
                let report =
                    Report { handoffs: handoffs.clone(), traces: traces.clone(), ..Report::default() };
                self.ids.learn(trees::trace_ids(&report));
                self.has_shown |= cause.is_none();
                let mut line = Vec::new();
                match &cause {
                    // Its tree looks like the first one, which was shown.
                    Some(id) => one_line::of_cause(&report, id, &self.ids, view, &mut line)?,
                    None => one_line::of_whole(&report, &self.ids, view, &mut line)?,
                }
                if view.verbosity == Verbosity::Verbose {
                    return match cause {
                        Some(_) => out.write_all(&line),
                        None => trees::group(&report, &self.ids, view, out),
                    };
                }
                if self.lines.contains(&line) {
                    return Ok(());
                }
                let is_drawn = cause.is_none() && self.is_to_be_drawn(&report);
                let written =
                    if is_drawn { trees::group(&report, &self.ids, view, out) } else { out.write_all(&line) };
                if self.lines.len() >= LINES {
                    self.lines.pop_front();
                }
                self.lines.push_back(line);
                written
            }
            Event::Finding { finding, handoffs, traces } => {
                if finding.severity == Severity::Note {
                    // Notes come with the summary.
                    return Ok(());
                }
                self.told.insert(finding.id.clone());
                self.just_shown = traces.iter().map(|trace| trace.trace_id).collect();
                self.has_shown = true;
                if !is_quiet {
                    let (handoffs, traces) = (handoffs.clone(), traces.clone());
                    let findings = vec![Finding::clone(finding)];
                    let report = Report { findings, handoffs, traces, ..Report::default() };
                    self.ids.learn(trees::trace_ids(&report));
                    trees::of_finding(&report, &report.findings[0], &self.ids, view, out)?;
                }
                findings::one(finding, view, out)
            }
            Event::Resolved(finding) => {
                // The traces that showed it are shown again, mended.
                self.just_shown.clear();
                self.lines.clear();
                self.has_drawn_whole = false;
                if self.told.remove(&finding.id) {
                    resolved(finding, view, out)?;
                }
                Ok(())
            }
            Event::Limit(limits) if limits.evicted_spans > 0 && !is_quiet => writeln!(
                out,
                "{}\n",
                "the memory is full: from now on the oldest traces are let go (--max-memory)".faint()
            ),
            Event::Limit(limits) if limits.evicted_looks + limits.names_not_kept > 0 && !is_quiet => {
                writeln!(
                    out,
                    "{}\n",
                    "the memory is full: not all that the broker holds is kept (--max-memory)".faint()
                )
            }
            Event::Limit(_) => Ok(()),
        }
    }

    /// Whether traces look like none that were drawn.
    fn is_to_be_drawn(&mut self, report: &Report) -> bool {
        match report.handoffs.iter().find_map(|handoff| handoff.unproven) {
            Some(reason) => self.drawn_reasons.insert(reason),
            None => !std::mem::replace(&mut self.has_drawn_whole, true),
        }
    }

    /// Says that this many groups of traces were whole and are not shown.
    ///
    /// # Errors
    ///
    /// What the writer says.
    pub fn not_shown(groups: u64, out: &mut dyn Write) -> io::Result<()> {
        let traces = if groups == 1 { "trace" } else { "traces" };
        writeln!(out, "{}\n", format!("… {} more {traces}, not shown one by one", count(groups)).faint())
    }

    /// Ends with what was not shown yet, the figures and the verdict.
    ///
    /// # Errors
    ///
    /// What the writer says.
    pub fn finish(&self, report: &Report, view: &View, out: &mut dyn Write) -> io::Result<()> {
        let mut ids = self.ids.clone();
        ids.learn(trees::trace_ids(report));
        let is_loud = |finding: &&Finding| finding.severity < Severity::Note;
        for finding in
            report.findings.iter().filter(is_loud).filter(|finding| !self.told.contains(&finding.id))
        {
            if view.verbosity > Verbosity::Quiet {
                trees::of_finding(report, finding, &ids, view, out)?;
            }
            findings::one(finding, view, out)?;
        }
        let is_healthy = !report.findings.iter().any(|finding| is_loud(&finding));
        if is_healthy && !self.has_shown && view.verbosity > Verbosity::Quiet {
            trees::untold(report, &ids, view, out)?;
        }
        findings::notes(report, view, out)?;
        database::counted(report, view, out)?;
        summary::listened(report, view, out)
    }
}

fn resolved(finding: &Finding, view: &View, out: &mut dyn Write) -> io::Result<()> {
    let mark = "✓ resolved:";
    let what = format!("{}[{}]", finding.slug, finding.code);
    writeln!(out, "{} {}", mark.intact(), what.strong())?;
    let text = format!("does not hold any more: {}", safe(&finding.message));
    for line in wrap(&text, view.width.saturating_sub(2)) {
        writeln!(out, "  {}", line.faint())?;
    }
    writeln!(out)
}

//! The stitched tree: one hand-off as it should have been, with a time bar and the gap
//! marked.

mod drawing;

use std::io::{self, Write};

use self::drawing::Drawing;
use super::stations;
use super::style::{Stylize, mark};
use crate::model::{Finding, HandoffReport, Report, Severity, Status};
use crate::report::format::View;
use crate::report::short_ids::ShortIds;
use crate::report::stitched::{Between, Detail, Parts, Stitched, fullest};
use crate::report::text::{fit, safe};

/// The ids of the traces of a report, and of those that its hand-offs name.
pub fn trace_ids(report: &Report) -> impl Iterator<Item = crate::model::TraceId> {
    let ends = |handoff: &HandoffReport| {
        handoff.producer.iter().chain(&handoff.consumers).map(|(trace, _)| *trace).collect::<Vec<_>>()
    };
    report.traces.iter().map(|trace| trace.trace_id).chain(report.handoffs.iter().flat_map(ends))
}

/// Writes the tree of one hand-off of a finding, with the stations above it.
pub fn of_finding(
    report: &Report,
    finding: &Finding,
    ids: &ShortIds,
    view: &View,
    out: &mut dyn Write,
) -> io::Result<()> {
    let of_this = report.handoffs.iter().filter(|handoff| handoff.finding.as_ref() == Some(&finding.id));
    let Some(handoff) = fullest(of_this) else { return Ok(()) };
    let stitched = Stitched::of_handoff(handoff, &Parts::of(report), Between::All, Detail::Picked);
    head(&mark(finding.severity).by_severity(finding.severity), &stitched, view, out)?;
    if !drawn(&stitched, report, ids, view, out)? && !handoff.task_id.is_empty() {
        writeln!(out, "  {}", safe(&format!("task {}", handoff.task_id)).faint())?;
    }
    Ok(())
}

/// Writes who handed what to whom, and the stations.
fn head(
    mark: &dyn std::fmt::Display,
    stitched: &Stitched,
    view: &View,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, "{mark} {}", fit(&stitched.title, view.width.saturating_sub(2)).strong())?;
    stitched.stations.map_or(Ok(()), |stations| stations::line(stations, out))
}

/// Draws the rows, and the whole id of the first trace, to be copied. Returns whether there
/// was something to draw.
fn drawn(
    stitched: &Stitched,
    report: &Report,
    ids: &ShortIds,
    view: &View,
    out: &mut dyn Write,
) -> io::Result<bool> {
    let Some(drawing) = Drawing::of(stitched, &report.traces, view, ids) else { return Ok(false) };
    drawing.draw(out)?;
    if let Some(first) = stitched.fragments.first() {
        let id = report.traces[first.trace].trace_id;
        writeln!(out, "  {}", format!("trace {id}").faint())?;
    }
    Ok(true)
}

/// Writes one trace without a finding: a whole one that passed through a queue, if there is
/// one, with the one that it links to.
pub fn untold(report: &Report, ids: &ShortIds, view: &View, out: &mut dyn Write) -> io::Result<()> {
    let parts = Parts::of(report);
    let whole = |handoff: &&HandoffReport| !handoff.consumers.is_empty() && handoff.unproven.is_none();
    let listed = |handoff: &&HandoffReport| {
        let mut ends = handoff.producer.iter().chain(&handoff.consumers);
        ends.any(|(trace, _)| parts.place(*trace).is_some())
    };
    let handoffs = || report.handoffs.iter().filter(listed);
    let Some(handoff) = handoffs().find(whole).or_else(|| handoffs().next()) else {
        return plain(report, ids, view, out);
    };
    if handoff.unproven.is_some() {
        // It is drawn together with the reason.
        return Ok(());
    }
    let stitched = Stitched::of_handoff(handoff, &parts, Between::Links, Detail::Picked);
    if stitched.axis.is_none() {
        return Ok(());
    }
    head(&"✓".intact(), &stitched, view, out)?;
    drawn(&stitched, report, ids, view, out)?;
    writeln!(out)
}

/// Writes the first of the traces that hand nothing over.
fn plain(report: &Report, ids: &ShortIds, view: &View, out: &mut dyn Write) -> io::Result<()> {
    if report.traces.is_empty() {
        return Ok(());
    }
    let stitched = Stitched::of_trace(0, &Parts::of(report), Detail::Picked);
    if stitched.axis.is_none() {
        return Ok(());
    }
    let mark = match report.verdict.status {
        Status::Unproven => "?".by_severity(Severity::Warning).to_string(),
        _ => "✓".intact().to_string(),
    };
    head(&mark, &stitched, view, out)?;
    drawn(&stitched, report, ids, view, out)?;
    writeln!(out)
}

/// Writes an example of a hand-off that is unproven for this reason: who handed what to
/// whom, and how far it was seen. Its tree follows unless it was shown before.
pub fn unproven(
    report: &Report,
    reason: &str,
    with_tree: bool,
    view: &View,
    out: &mut dyn Write,
) -> io::Result<()> {
    let of_this = report.handoffs.iter().filter(|handoff| handoff.unproven == Some(reason));
    let Some(handoff) = fullest(of_this) else { return Ok(()) };
    let stitched = Stitched::of_handoff(handoff, &Parts::of(report), Between::Nothing, Detail::Picked);
    head(&"?".by_severity(Severity::Warning), &stitched, view, out)?;
    if with_tree {
        drawn(&stitched, report, &ShortIds::of(trace_ids(report)), view, out)?;
    }
    Ok(())
}

/// Writes traces that belong together: one tree, or the pieces of it.
pub fn group(report: &Report, ids: &ShortIds, view: &View, out: &mut dyn Write) -> io::Result<()> {
    let stitched = Stitched::of_group(&Parts::of(report), Detail::Picked);
    if stitched.axis.is_none() {
        return Ok(());
    }
    head(&mark_of_group(report), &stitched, view, out)?;
    drawn(&stitched, report, ids, view, out)?;
    writeln!(out)
}

fn mark_of_group(report: &Report) -> String {
    if report.handoffs.iter().any(|handoff| handoff.unproven.is_some()) {
        "?".by_severity(Severity::Warning).to_string()
    } else {
        "✓".intact().to_string()
    }
}

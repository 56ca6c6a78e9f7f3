//! The stitched tree: one hand-off as it should have been, with a time bar and the gap
//! marked.

mod break_point;
mod drawing;
mod layout;

use std::collections::BTreeSet;
use std::io::{self, Write};

use self::break_point::{Sides, find, link, spot};
use self::drawing::Drawing;
use super::short_ids::ShortIds;
use super::stations;
use super::style::{Stylize, mark};
use crate::model::{Finding, HandoffReport, Report, Severity, Status, TraceReport};
use crate::report::format::View;
use crate::report::text::{fit, safe, width};

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
    let sides = Sides::of(handoff, report);
    head(&mark(finding.severity).by_severity(finding.severity), handoff, &sides, view, out)?;
    let Some(drawing) = Drawing::over(report, &sides.all(), view, ids) else {
        return if handoff.task_id.is_empty() {
            Ok(())
        } else {
            writeln!(out, "  {}", safe(&format!("task {}", handoff.task_id)).faint())
        };
    };
    if let Some(sender) = sides.sender {
        drawing.tree(sender, out)?;
    }
    spot(handoff, &sides, ids, out)?;
    sides.apart().into_iter().try_for_each(|trace| drawing.tree(trace, out))?;
    whole_id(&sides.all(), out)
}

/// Of several hand-offs, the one of which most was seen.
fn fullest<'r>(handoffs: impl Iterator<Item = &'r HandoffReport>) -> Option<&'r HandoffReport> {
    handoffs.max_by_key(|handoff| {
        (
            handoff.consumers.len() + usize::from(handoff.producer.is_some()),
            std::cmp::Reverse(&handoff.task_id),
        )
    })
}

/// Writes who handed what to whom, and the stations.
fn head(
    mark: &dyn std::fmt::Display,
    handoff: &HandoffReport,
    sides: &Sides<'_>,
    view: &View,
    out: &mut dyn Write,
) -> io::Result<()> {
    let task = safe(&handoff.task);
    let name = sides
        .sender
        .and_then(|trace| trace.spans.first())
        .map_or(task.clone(), |root| format!("{} → {task}", safe(&root.name)));
    writeln!(out, "{mark} {}", fit(&name, view.width.saturating_sub(2)).strong())?;
    stations::line(handoff.stations, out)
}

/// Writes the whole id of the first trace, to be copied.
fn whole_id(traces: &[&TraceReport], out: &mut dyn Write) -> io::Result<()> {
    let Some(first) = traces.first() else { return Ok(()) };
    writeln!(out, "  {}", format!("trace {}", first.trace_id).faint())
}

/// Writes one trace without a finding: a whole one that passed through a queue, if there is
/// one, with the one that it links to.
pub fn untold(report: &Report, ids: &ShortIds, view: &View, out: &mut dyn Write) -> io::Result<()> {
    let whole = |handoff: &&HandoffReport| !handoff.consumers.is_empty() && handoff.unproven.is_none();
    let listed = |handoff: &&HandoffReport| {
        let mut ends = handoff.producer.iter().chain(&handoff.consumers);
        ends.any(|(trace, _)| find(report, *trace).is_some())
    };
    let handoffs = || report.handoffs.iter().filter(listed);
    let Some(handoff) = handoffs().find(whole).or_else(|| handoffs().next()) else {
        return plain(report, ids, view, out);
    };
    if handoff.unproven.is_some() {
        // It is drawn together with the reason.
        return Ok(());
    }
    let sides = Sides::of(handoff, report);
    let Some(drawing) = Drawing::over(report, &sides.all(), view, ids) else { return Ok(()) };
    head(&"✓".intact(), handoff, &sides, view, out)?;
    if let Some(sender) = sides.sender {
        drawing.tree(sender, out)?;
    }
    for trace in sides.apart() {
        if sides.are_linked() {
            link(handoff, out)?;
        }
        drawing.tree(trace, out)?;
    }
    whole_id(&sides.all(), out)?;
    writeln!(out)
}

/// Writes the first of the traces that hand nothing over.
fn plain(report: &Report, ids: &ShortIds, view: &View, out: &mut dyn Write) -> io::Result<()> {
    let Some(trace) = report.traces.first() else { return Ok(()) };
    let Some(drawing) = Drawing::over(report, &[trace], view, ids) else { return Ok(()) };
    let name = trace.spans.first().map(|root| safe(&root.name)).unwrap_or_default();
    let mark = match report.verdict.status {
        Status::Unproven => "?".by_severity(Severity::Warning).to_string(),
        _ => "✓".intact().to_string(),
    };
    writeln!(out, "{mark} {}", fit(&name, view.width.saturating_sub(2)).strong())?;
    drawing.tree(trace, out)?;
    whole_id(&[trace], out)?;
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
    let sides = Sides::of(handoff, report);
    head(&"?".by_severity(Severity::Warning), handoff, &sides, view, out)?;
    let ids = ShortIds::of(trace_ids(report));
    let all = sides.all();
    let Some(drawing) = Drawing::over(report, &all, view, &ids).filter(|_| with_tree) else { return Ok(()) };
    all.iter().try_for_each(|trace| drawing.tree(trace, out))?;
    whole_id(&all, out)
}

/// Writes traces that belong together: one tree, or the pieces of it.
pub fn group(report: &Report, ids: &ShortIds, view: &View, out: &mut dyn Write) -> io::Result<()> {
    let mut all: Vec<_> = report.traces.iter().collect();
    let Some(drawing) = Drawing::over(report, &all, view, ids) else { return Ok(()) };
    let room = view.width.saturating_sub(2);
    let mark = if report.handoffs.iter().any(|handoff| handoff.unproven.is_some()) {
        "?".by_severity(Severity::Warning).to_string()
    } else {
        "✓".intact().to_string()
    };
    writeln!(out, "{mark} {}", fit(&title(report), room).strong())?;
    if let [handoff] = &report.handoffs[..] {
        stations::line(handoff.stations, out)?;
    }
    let linked: BTreeSet<_> = all
        .iter()
        .filter(|trace| {
            let mut links = trace.spans.iter().flat_map(|span| &span.links);
            links.any(|(id, _)| *id != trace.trace_id && find(report, *id).is_some())
        })
        .map(|trace| trace.trace_id)
        .collect();
    // A trace that links to another comes below it.
    all.sort_by_key(|trace| linked.contains(&trace.trace_id));
    for trace in &all {
        let is_its = |handoff: &&HandoffReport| {
            linked.contains(&trace.trace_id) && handoff.consumers.iter().any(|(id, _)| *id == trace.trace_id)
        };
        if let Some(handoff) = report.handoffs.iter().find(is_its) {
            link(handoff, out)?;
        }
        drawing.tree(trace, out)?;
    }
    whole_id(&all, out)?;
    writeln!(out)
}

/// Writes that traces show a cause that was reported before.
pub fn one_line(
    report: &Report,
    cause: &str,
    ids: &ShortIds,
    view: &View,
    out: &mut dyn Write,
) -> io::Result<()> {
    let traces: Vec<_> = report.traces.iter().map(|trace| ids.cut(&trace.trace_id)).collect();
    let what = format!("{} {}", safe(cause), traces.join(" "));
    let room = view.width.saturating_sub(width(&what) + 4);
    writeln!(out, "{} {}  {}", "✗".broken(), fit(&title(report), room), what.faint())
}

/// `POST /orders → process_order`: the request, and the tasks in its trace.
fn title(report: &Report) -> String {
    let first = report.traces.iter().min_by_key(|trace| trace.spans.first().map(|span| span.start));
    let name = first.and_then(|trace| trace.spans.first()).map(|root| safe(&root.name)).unwrap_or_default();
    let tasks: BTreeSet<_> = report.handoffs.iter().map(|handoff| safe(&handoff.task)).collect();
    let tasks: Vec<_> = tasks.into_iter().filter(|task| !task.is_empty()).collect();
    if tasks.is_empty() { name } else { format!("{name} → {}", tasks.join(", ")) }
}

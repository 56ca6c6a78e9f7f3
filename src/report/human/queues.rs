//! The queues at the top of an inspection, and what their messages carry.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, Write};

use comfy_table::{CellAlignment, Table, presets};

use super::findings;
use super::style::Stylize;
use crate::model::{QueueReport, Report, Severity, ShareReport};
use crate::report::format::View;
use crate::report::text::{count, fit, safe};

/// Writes one line for each queue: how many messages are ready, held by workers, and read.
/// If there are very many queues, the busiest have a line, and the totals follow.
pub fn header(report: &Report, view: &View, out: &mut dyn Write) -> io::Result<()> {
    if let Some(broker) = &view.broker {
        writeln!(out, "{}  {}", safe(broker).strong(), "read-only".faint())?;
    }
    let shown = busiest(&report.queues);
    let left_out = report.queues.len() - shown.len();
    if left_out > 0 {
        let [ready, held, read] = totals(&report.queues);
        let text = format!("{} queues, {}", count(report.queues.len() as u64), depth(ready, held, read));
        writeln!(out, "  {}", fit(&text, view.width.saturating_sub(2)))?;
    }
    for queue in &shown {
        let mut parts = vec![depth(queue.ready, queue.unacked, queue.read)];
        if queue.priorities.len() > 1 {
            let steps: Vec<_> =
                queue.priorities.iter().map(|(step, length)| format!("{step}: {}", count(*length))).collect();
            parts.push(format!("priorities {}", steps.join("  ")));
        }
        let line = format!("  {}  {}", safe(&queue.name), parts.join("   "));
        writeln!(out, "{}", fit(&line, view.width))?;
    }
    if left_out > 0 {
        let is_shown = |queue: &&QueueReport| shown.iter().any(|shown| std::ptr::eq(*shown, *queue));
        let others = report.queues.iter().filter(|queue| !is_shown(queue));
        let [ready, held, _] = totals(others);
        let queues = if left_out == 1 { "queue" } else { "queues" };
        let text =
            format!("… and {} more {queues}: {}", count(left_out as u64), depth(ready, held, ready + held));
        writeln!(out, "  {}", fit(&text, view.width.saturating_sub(2)).faint())?;
    }
    match report.queues.first().and_then(|queue| queue.workers) {
        Some(0) => writeln!(out, "  {}", "no worker is connected".faint())?,
        Some(workers) => {
            let text = format!("{workers} worker{} connected", if workers == 1 { "" } else { "s" });
            writeln!(out, "  {}", text.faint())?;
        }
        None => {}
    }
    writeln!(out)
}

/// The queues that are shown, in the order of their names: all, or the fullest ones if
/// there are many.
fn busiest(queues: &[QueueReport]) -> Vec<&QueueReport> {
    /// Nobody reads more than this; leaving out just one would save no line.
    const SHOWN: usize = 10;
    let mut shown: Vec<_> = queues.iter().collect();
    if shown.len() > SHOWN + 1 {
        shown.sort_by_key(|queue| (Reverse(queue.ready + queue.unacked), &queue.name));
        shown.truncate(SHOWN);
        shown.sort_by_key(|queue| &queue.name);
    }
    shown
}

/// How many messages of these queues wait, are held, and were read.
fn totals<'q>(queues: impl IntoIterator<Item = &'q QueueReport>) -> [u64; 3] {
    queues.into_iter().fold([0; 3], |[ready, held, read], queue| {
        [ready + queue.ready, held + queue.unacked, read + queue.read]
    })
}

/// `412 ready   4 held by workers   read 100 of 416`.
fn depth(ready: u64, held: u64, read: u64) -> String {
    let mut parts = vec![format!("{} ready", count(ready))];
    if held > 0 {
        parts.push(format!("{} held by workers", count(held)));
    }
    if read < ready + held {
        parts.push(format!("read {} of {}", count(read), count(ready + held)));
    }
    parts.join("   ")
}

/// How many tasks the table shows.
const SHOWN: usize = 20;

/// Writes a table of tasks: how many messages, what context, what verdict.
pub fn shares(report: &Report, view: &View, out: &mut dyn Write) -> io::Result<()> {
    if report.tasks.is_empty() {
        return Ok(());
    }
    let mut table = table(view.width, ["task", "messages", "context", "verdict"]);
    for share in report.tasks.iter().take(SHOWN) {
        let contexts: Vec<_> = share
            .contexts
            .iter()
            .map(|(format, messages)| format!("{format} {}", count(*messages)))
            .collect();
        table.add_row([
            safe(&share.task),
            count(share.messages),
            contexts.join(" · "),
            verdict(report, share),
        ]);
    }
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    print(&table, out)?;
    if report.tasks.len() > SHOWN {
        writeln!(out, "  … and {} more tasks", report.tasks.len() - SHOWN)?;
    }
    writeln!(out)
}

/// For each kind of finding, how many messages of a task belong to it.
fn verdict(report: &Report, share: &ShareReport) -> String {
    let by_id: BTreeMap<_, _> =
        report.findings.iter().map(|finding| (finding.id.as_str(), finding)).collect();
    let mut faulty = 0;
    let mut parts = Vec::new();
    let is_ignored =
        |id: &str| report.ignored.iter().any(|ignored| ignored.id == id && ignored.severity < Severity::Note);
    for (id, messages) in &share.findings {
        if is_ignored(id) {
            faulty += messages;
            parts.push(format!("· {} ignored", count(*messages)));
            continue;
        }
        let Some(finding) = by_id.get(id.as_str()).filter(|finding| finding.severity < Severity::Note) else {
            continue;
        };
        faulty += messages;
        parts.push(findings::tally(finding, *messages));
    }
    let healthy = share.messages.saturating_sub(faulty);
    if healthy > 0 {
        parts.push(format!("✓ {}", count(healthy)));
    }
    parts.join("  ")
}

/// A table without lines that fits the terminal.
pub fn table(width: usize, header: impl IntoIterator<Item = &'static str>) -> Table {
    let mut table = Table::new();
    let width = u16::try_from(width.saturating_sub(1)).unwrap_or(u16::MAX);
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(comfy_table::ContentArrangement::Dynamic)
        .set_width(width)
        .set_header(header);
    table
}

pub fn print(table: &Table, out: &mut dyn Write) -> io::Result<()> {
    for (number, line) in table.lines().enumerate() {
        let line = line.trim_end();
        if number == 0 {
            writeln!(out, " {}", line.faint())?;
        } else {
            writeln!(out, " {line}")?;
        }
    }
    Ok(())
}

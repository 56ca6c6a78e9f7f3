//! The queues at the top of an inspection, and what their messages carry.

use std::collections::BTreeMap;
use std::io::{self, Write};

use comfy_table::{CellAlignment, Table, presets};

use super::findings;
use super::paint::Paint;
use crate::model::{Report, Severity, ShareReport};
use crate::report::format::View;
use crate::report::text::{count, fit, safe};

/// Writes one line a queue: what is ready, what workers hold, what was read.
pub fn header(report: &Report, view: &View, out: &mut dyn Write) -> io::Result<()> {
    if let Some(broker) = &view.broker {
        writeln!(out, "{}  {}", safe(broker).strong(), "read-only".faint())?;
    }
    for queue in &report.queues {
        let mut parts = vec![format!("{} ready", count(queue.ready))];
        if queue.unacked > 0 {
            parts.push(format!("{} held by workers", count(queue.unacked)));
        }
        let total = queue.ready + queue.unacked;
        if queue.read < total {
            parts.push(format!("read {} of {}", count(queue.read), count(total)));
        }
        if queue.priorities.len() > 1 {
            let steps: Vec<_> =
                queue.priorities.iter().map(|(step, length)| format!("{step}: {}", count(*length))).collect();
            parts.push(format!("priorities {}", steps.join("  ")));
        }
        let line = format!("  {}  {}", safe(&queue.name), parts.join("   "));
        writeln!(out, "{}", fit(&line, view.width))?;
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

/// How many messages of a task are part of which kind of finding.
fn verdict(report: &Report, share: &ShareReport) -> String {
    let by_id: BTreeMap<_, _> =
        report.findings.iter().map(|finding| (finding.id.as_str(), finding)).collect();
    let mut faulty = 0;
    let mut parts = Vec::new();
    for (id, messages) in &share.findings {
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

//! What a store counted itself, and how much of it was looked at.

use std::io::{self, Write};

use comfy_table::CellAlignment;

use super::queues::{print, table};
use super::style::Stylize;
use crate::model::{DatabaseReport, HandoffGroup, Report};
use crate::report::database::{asked, looked_at, outcome};
use crate::report::format::{Verbosity, View};
use crate::report::text::{count, fit, safe, wrap};

/// How many groups have a row.
const SHOWN: usize = 20;

/// Writes the store, what it was asked for, and its groups.
pub fn counted(report: &Report, view: &View, out: &mut dyn Write) -> io::Result<()> {
    let Some(database) = &report.database else { return Ok(()) };
    let line = format!("{}  {}", safe(&database.url), safe(&database.table));
    writeln!(out, "{}  {}", fit(&line, view.width.saturating_sub(11)).strong(), "read-only".faint())?;
    for line in wrap(&asked(database), view.width.saturating_sub(2)) {
        writeln!(out, "  {line}")?;
    }
    if view.verbosity > Verbosity::Quiet && !database.groups.is_empty() {
        writeln!(out)?;
        groups(database, view, out)?;
    }
    if let Some(text) = looked_at(database) {
        for line in wrap(&text, view.width.saturating_sub(2)) {
            writeln!(out, "  {}", line.faint())?;
        }
    }
    writeln!(out)
}

/// One row for each group.
fn groups(database: &DatabaseReport, view: &View, out: &mut dyn Write) -> io::Result<()> {
    let mut table = table(view.width, ["task", "from → to", "became", "hand-offs", "looked at"]);
    for group in database.groups.iter().take(SHOWN) {
        table.add_row([
            safe(&group.task),
            way(group),
            format!("{} {}", if group.is_whole() { "✓" } else { "✗" }, outcome(group.outcome)),
            count(group.count),
            count(group.looked_at),
        ]);
    }
    for column in [3, 4] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    print(&table, out)?;
    let more = database.groups.len().saturating_sub(SHOWN);
    if more > 0 {
        writeln!(out, "  … and {more} more groups (--format json has all)")?;
    }
    Ok(())
}

fn way(group: &HandoffGroup) -> String {
    let name = |service: &str| if service.is_empty() { "?".to_owned() } else { safe(service) };
    format!("{} → {}", name(&group.producer), name(&group.consumer))
}

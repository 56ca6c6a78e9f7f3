//! What the configuration or the command line set aside, and what changed since an earlier
//! report. Never left out silently.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::style::Stylize;
use crate::model::{Comparison, Expired, Gone, Ignored, Report};
use crate::report::format::View;
use crate::report::text::{count, safe, wrap};

/// How many of a kind have a line each.
const SHOWN: usize = 10;

/// Writes what was ignored and why, which entries have expired, and what is new and gone.
pub fn told(report: &Report, view: &View, out: &mut dyn Write) -> io::Result<()> {
    let lines = report.ignored.iter().map(ignored);
    section(&heading(report.ignored.len(), "is ignored", "are ignored"), lines, view, out)?;
    let lines = report.expired.iter().map(expired);
    let head = heading(
        report.expired.len(),
        "counts again, as its date is over",
        "count again, as their dates are over",
    );
    section(&head, lines, view, out)?;
    report.baseline.as_ref().map_or(Ok(()), |comparison| compared(comparison, view, out))
}

fn heading(number: usize, one: &str, many: &str) -> String {
    match number {
        1 => format!("1 finding {one}"),
        number => format!("{} findings {many}", count(number as u64)),
    }
}

fn ignored(ignored: &Ignored) -> String {
    let mut from: Vec<_> = ignored.at.iter().map(|at| safe(at)).collect();
    from.extend(ignored.until.as_ref().map(|until| format!("until {until}")));
    let from = if from.is_empty() { String::new() } else { format!(" ({})", from.join(", ")) };
    format!("{} ×{}: {}{from}", safe(&ignored.id), count(ignored.count), safe(&ignored.reason))
}

fn expired(expired: &Expired) -> String {
    let Expired { id, reason, at, until, .. } = expired;
    format!("{}: was ignored until {until}: {} ({})", safe(id), safe(reason), safe(at))
}

fn compared(comparison: &Comparison, view: &View, out: &mut dyn Write) -> io::Result<()> {
    let Comparison { file, new, known, gone, gone_not_listed } = comparison;
    let all_gone = gone.len() as u64 + gone_not_listed;
    let head = format!(
        "since {}: {} new, {} known, {} gone",
        safe(file),
        count(*new),
        count(*known),
        count(all_gone)
    );
    for line in wrap(&head, view.width) {
        writeln!(out, "{line}")?;
    }
    let shown = gone.iter().take(SHOWN).map(gone_line);
    lines(shown, gone.len() as u64 + gone_not_listed, view, out)
}

fn gone_line(gone: &Gone) -> String {
    const NAMES: usize = 3;
    let id = match &gone.variant {
        Some(variant) => format!("{}:{variant}", gone.slug),
        None => gone.slug.clone(),
    };
    let groups = [("task", &gone.tasks), ("queue", &gone.queues), ("service", &gone.services)];
    let listed = |names: &BTreeSet<String>| {
        let shown: Vec<_> = names.iter().take(NAMES).map(|name| safe(name)).collect();
        let more = if names.len() > NAMES { ", …" } else { "" };
        format!("{}{more}", shown.join(", "))
    };
    let named = groups.into_iter().filter(|(_, names)| !names.is_empty());
    let parts: Vec<_> = named.map(|(what, names)| format!("{what} {}", listed(names))).collect();
    let of = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(" · ")) };
    format!("gone {}{of}", safe(&id))
}

/// Writes a heading and one line each below it, unless there is nothing.
fn section(
    head: &str,
    all: impl ExactSizeIterator<Item = String>,
    view: &View,
    out: &mut dyn Write,
) -> io::Result<()> {
    let number = all.len() as u64;
    if number == 0 {
        return Ok(());
    }
    writeln!(out, "{head}")?;
    lines(all.take(SHOWN), number, view, out)
}

fn lines(shown: impl Iterator<Item = String>, of: u64, view: &View, out: &mut dyn Write) -> io::Result<()> {
    const INDENT: usize = 2;
    for text in shown {
        for (number, line) in wrap(&text, view.width.saturating_sub(2 * INDENT)).into_iter().enumerate() {
            let indent = if number == 0 { INDENT } else { 2 * INDENT };
            writeln!(out, "{:indent$}{}", "", line.faint())?;
        }
    }
    match of.saturating_sub(SHOWN as u64) {
        0 => Ok(()),
        more => writeln!(out, "  … and {} more: --format json", count(more)),
    }
}

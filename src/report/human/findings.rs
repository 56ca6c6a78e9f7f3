//! Findings, in the style of a compiler.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::style::{Stylize, mark};
use crate::model::{Finding, InBaseline, Quote, Report, Severity};
use crate::report::format::{NAME, Verbosity, View};
use crate::report::quoted::underlined;
use crate::report::text::{Safe, count, fit, safe, width, wrap};

/// The column at which labelled lines begin.
const LABEL: usize = 11;

/// Writes every finding: those at warning or above in full, notes in short.
pub fn all(report: &Report, view: &View, out: &mut dyn Write) -> io::Result<()> {
    for finding in report.findings.iter().filter(|finding| finding.severity < Severity::Note) {
        one(finding, view, out)?;
    }
    notes(report, view, out)
}

/// Writes the notes: one line each, or in full if the user asked for more.
pub fn notes(report: &Report, view: &View, out: &mut dyn Write) -> io::Result<()> {
    let notes: Vec<_> = report.findings.iter().filter(|finding| finding.severity == Severity::Note).collect();
    if notes.is_empty() || view.verbosity == Verbosity::Quiet {
        return Ok(());
    }
    if view.verbosity == Verbosity::Verbose {
        return notes.into_iter().try_for_each(|finding| one(finding, view, out));
    }
    for finding in notes {
        let times = if finding.count > 1 { format!("  ×{}", count(finding.count)) } else { String::new() };
        let head = format!("note[{}]: ", finding.code);
        let room = view.width.saturating_sub(width(&head)).max(1);
        // The important part may be at the end, so nothing is cut.
        let lines = wrap(&format!("{}{times}", safe(&finding.message)), room);
        for (number, line) in lines.into_iter().enumerate() {
            let head = if number == 0 { head.clone() } else { " ".repeat(width(&head)) };
            writeln!(out, "{}{line}", head.by_severity(Severity::Note))?;
        }
    }
    writeln!(out)
}

/// Writes one finding in full.
pub fn one(finding: &Finding, view: &View, out: &mut dyn Write) -> io::Result<()> {
    let head = format!("{}[{}]: ", finding.severity.label(), finding.code);
    let mut lines = wrap(&safe(&finding.message), view.width.saturating_sub(width(&head))).into_iter();
    write!(out, "{}", head.as_str().by_severity(finding.severity))?;
    writeln!(out, "{}", lines.next().unwrap_or_default().strong())?;
    for line in lines {
        writeln!(out, "{:indent$}{}", "", line.strong(), indent = width(&head))?;
    }
    whom(finding, view, out)?;
    for quote in &finding.evidence {
        quoted(quote, finding.severity, view, out)?;
    }
    let room = view.width.saturating_sub(LABEL + 2);
    for (number, line) in finding.fix.iter().flat_map(|line| to_paste(&view.as_typed(line), room)).enumerate()
    {
        let label = if number == 0 { "fix" } else { "" };
        writeln!(out, "  {label:<width$}{}", Safe(&line).code(), width = LABEL)?;
    }
    for fix in finding.fixes.iter().skip(1) {
        labelled("or", &fix.title, view, out)?;
        if view.verbosity == Verbosity::Verbose {
            for line in fix.lines().iter().flat_map(|line| to_paste(&view.as_typed(line), room)) {
                writeln!(out, "  {:width$}{}", "", Safe(&line).code(), width = LABEL)?;
            }
        }
    }
    for other in &finding.alternatives {
        labelled("or else", &format!("{}: {}", other.slug, other.why), view, out)?;
    }
    for need in &finding.needs {
        labelled("to be sure", need, view, out)?;
    }
    writeln!(
        out,
        "  {} · {}\n",
        finding.confidence.label().faint(),
        Safe(&view.as_typed(&format!("{NAME} explain {}", finding.code))).faint()
    )
}

/// A line of a fix, so that it fits if possible and is right when it is pasted: a comment
/// at its end moves nearer, or else above it.
fn to_paste(line: &str, room: usize) -> Vec<String> {
    if width(line) <= room {
        return vec![line.to_owned()];
    }
    let Some((code, comment)) = line.split_once("  # ") else { return vec![line.to_owned()] };
    let code = code.trim_end();
    let near = format!("{code}  # {comment}");
    if width(&near) <= room {
        return vec![near];
    }
    let above = wrap(comment, room.saturating_sub(2)).into_iter().map(|part| format!("# {part}"));
    above.chain([code.to_owned()]).collect()
}

/// How many times, and which tasks and services it concerns.
fn whom(finding: &Finding, view: &View, out: &mut dyn Write) -> io::Result<()> {
    let mut parts = Vec::new();
    if finding.count > 1 {
        parts.push(format!("{} times", count(finding.count)));
    }
    let groups = [("task", &finding.tasks), ("from", &finding.origins), ("service", &finding.services)];
    for (label, names) in groups.into_iter().filter(|(_, names)| !names.is_empty()) {
        parts.push(format!("{label} {}", listed(names)));
    }
    if let Some(station) = finding.station {
        parts.insert(0, format!("at {}", station.label()));
    }
    if let Some(severity) = finding.severity_without_config {
        parts.push(format!("{} by itself", severity.label()));
    }
    if finding.baseline == Some(InBaseline::Known) {
        parts.push("in the baseline".to_owned());
    }
    if parts.is_empty() { Ok(()) } else { labelled("", &parts.join(" · "), view, out) }
}

fn listed(names: &BTreeSet<String>) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<_> = names.iter().take(SHOWN).map(|name| safe(name)).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// A quote: where, the characters, and a caret under each wrong one.
fn quoted(quote: &Quote, severity: Severity, view: &View, out: &mut dyn Write) -> io::Result<()> {
    const GUTTER: usize = 6;
    let room = view.width.saturating_sub(GUTTER);
    writeln!(out, "    {}", fit(&safe(&quote.at), view.width.saturating_sub(4)).faint())?;
    let (text, carets) = underlined(quote, usize::MAX);
    // Marked characters are quoted exactly; a fact may break at a space.
    let lines = if carets.trim().is_empty() { wrap(&text, room) } else { broken(&text, room) };
    for (number, line) in lines.into_iter().flat_map(|line| broken(&line, room)).enumerate() {
        writeln!(out, "    {} {line}", "|".faint())?;
        let under: String = carets.chars().skip(number * room).take(room).collect();
        if !under.trim().is_empty() {
            writeln!(out, "    {} {}", "|".faint(), under.trim_end().by_severity(severity))?;
        }
    }
    if !quote.note.is_empty() {
        writeln!(out, "    {} {}", "|".faint(), Safe(&quote.note).faint())?;
    }
    Ok(())
}

/// A text in lines of `room` columns, broken anywhere: it is quoted exactly.
fn broken(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for letter in text.chars() {
        let line = lines.last_mut().expect("there is a first line");
        if width(line) + width(letter.encode_utf8(&mut [0; 4])) > room {
            lines.push(letter.to_string());
        } else {
            line.push(letter);
        }
    }
    lines
}

fn labelled(label: &str, text: &str, view: &View, out: &mut dyn Write) -> io::Result<()> {
    let room = view.width.saturating_sub(LABEL + 2);
    for (number, line) in wrap(&safe(text), room).into_iter().enumerate() {
        let label = if number == 0 { label } else { "" };
        if label.is_empty() && number == 0 {
            writeln!(out, "  {line}")?;
        } else {
            writeln!(out, "  {label:<LABEL$}{line}")?;
        }
    }
    Ok(())
}

/// The mark and the number of a finding's messages, for a table.
pub fn tally(finding: &Finding, messages: u64) -> String {
    format!("{} {}", mark(finding.severity), count(messages))
}

//! The documentation of diagnoses, at a terminal and as a page.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;

use super::human::Stylize;
use super::tried_fixes;
use crate::diagnosis::Diagnosis;
use crate::model::{Fix, FixPlace, Language, Severity, Station, Step};

/// Writes all diagnoses, by station. `program` is how a command of tracelink's begins.
///
/// # Errors
///
/// What the writer says.
pub fn list(all: &[&Diagnosis], program: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}\n", "request ──► inject ──► carry ──► extract ──► export".strong())?;
    for station in Station::ALL.into_iter().map(Some).chain([None]) {
        let here: Vec<_> = all.iter().filter(|diagnosis| diagnosis.station == station).collect();
        writeln!(out, "{}", station.map_or("anywhere", Station::label).strong())?;
        for diagnosis in here {
            let severity = format!("{:<7}", diagnosis.severity.label());
            let severity = severity.by_severity(diagnosis.severity);
            writeln!(out, "  {}  {severity}  {}", diagnosis.code, diagnosis.slug)?;
        }
        writeln!(out)?;
    }
    writeln!(out, "{}", format!("{program} explain CODE says what it means and how to fix it").faint())
}

/// Writes one diagnosis, with its Markdown made readable at a terminal.
///
/// # Errors
///
/// What the writer says.
pub fn one(diagnosis: &Diagnosis, out: &mut dyn Write) -> io::Result<()> {
    let head = format!("{} {}", diagnosis.code, diagnosis.slug);
    let station = diagnosis.station.map_or("", Station::label);
    writeln!(
        out,
        "{}  {} {}",
        head.strong(),
        diagnosis.severity.label().by_severity(diagnosis.severity),
        station.faint()
    )?;
    writeln!(out, "{}\n", diagnosis.summary)?;
    let mut in_code = false;
    for line in diagnosis.doc.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)) {
        if line.starts_with("```") {
            in_code = !in_code;
        } else if let Some(heading) = line.strip_prefix("## ") {
            writeln!(out, "{}", heading.strong())?;
        } else if in_code {
            writeln!(out, "    {}", line.code())?;
        } else {
            writeln!(out, "{}{line}", if line.is_empty() { "" } else { "  " })?;
        }
    }
    let fixes = (diagnosis.fixes)();
    if !fixes.is_empty() {
        writeln!(out, "\n{}", "What to paste".strong())?;
    }
    for (number, fix) in fixes.iter().enumerate() {
        writeln!(out, "  {}. {}:", number + 1, fix.title)?;
        for line in fix.lines() {
            writeln!(out, "    {}", line.code())?;
        }
        if let Some(with) = tried_fixes::with(diagnosis.code, &fix.title) {
            writeln!(out, "    {}", with.faint())?;
        }
    }
    Ok(())
}

/// A diagnosis in JSON.
#[derive(Serialize)]
struct Explained {
    code: &'static str,
    slug: &'static str,
    station: Option<Station>,
    severity: Severity,
    summary: &'static str,
    /// Markdown.
    doc: &'static str,
    fixes: Vec<Fix>,
}

#[derive(Serialize)]
struct Explanation {
    schema: &'static str,
    diagnoses: Vec<Explained>,
}

/// Writes diagnoses as one JSON document. Fixes have the same shape as in a report.
///
/// # Errors
///
/// What the writer says.
pub fn json(diagnoses: &[&Diagnosis], out: &mut dyn Write) -> io::Result<()> {
    let explained = diagnoses.iter().map(|diagnosis| Explained {
        code: diagnosis.code,
        slug: diagnosis.slug,
        station: diagnosis.station,
        severity: diagnosis.severity,
        summary: diagnosis.summary,
        doc: diagnosis.doc,
        fixes: (diagnosis.fixes)(),
    });
    let explanation = Explanation { schema: "tracelink-explain/1", diagnoses: explained.collect() };
    serde_json::to_writer_pretty(&mut *out, &explanation)?;
    writeln!(out)
}

/// All diagnoses as the page `docs/diagnoses.md`.
pub fn page(all: &[&Diagnosis]) -> String {
    let mut page = String::from(
        "# Diagnoses\n\nGenerated from the sources by `cargo test --test docs`; do not edit.\n\n\
         | code | slug | severity | station |\n|---|---|---|---|\n",
    );
    for diagnosis in all {
        let station = diagnosis.station.map_or("", Station::label);
        let _ = writeln!(
            page,
            "| {0} | [`{1}`](#{2}) | {3} | {station} |",
            diagnosis.code,
            diagnosis.slug,
            anchor(diagnosis),
            diagnosis.severity.label()
        );
    }
    page.push_str(&places());
    for diagnosis in all {
        let _ = write!(
            page,
            "\n## {} {}\n\n{}.\n\n",
            diagnosis.code,
            diagnosis.slug,
            capitalised(diagnosis.summary)
        );
        page.push_str(&of(diagnosis));
    }
    page
}

/// The documentation of one diagnosis in Markdown, without its heading.
pub fn of(diagnosis: &Diagnosis) -> String {
    let mut page = String::new();
    for line in diagnosis.doc.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)) {
        let deeper = if line.starts_with("## ") { "#" } else { "" };
        let _ = writeln!(page, "{deeper}{line}");
    }
    let fixes = (diagnosis.fixes)();
    if !fixes.is_empty() {
        page.push_str("\n### What to paste\n");
    }
    for (number, fix) in fixes.iter().enumerate() {
        let _ = writeln!(page, "{}. {}:\n", number + 1, fix.title);
        // A block is pasted at one place, so it is of one language.
        let blocks = fix.steps.chunk_by(|one, next| one.language == next.language);
        for (place, steps) in blocks.enumerate() {
            let gap = if place > 0 { "\n" } else { "" };
            let _ = writeln!(page, "{gap}   ```{}", language(&steps[0]));
            for line in steps.iter().flat_map(Step::lines) {
                let _ = writeln!(page, "   {line}");
            }
            page.push_str("   ```\n");
        }
        if let Some(with) = tried_fixes::with(diagnosis.code, &fix.title) {
            let _ = writeln!(page, "\n   {}.", capitalised(&with));
        }
    }
    page
}

/// How the lines of a step are coloured.
const fn language(step: &Step) -> &'static str {
    match step.language {
        Some(Language::Python) => "python",
        Some(Language::JavaScript) => "javascript",
        None => "sh",
    }
}

/// Where the lines of a fix go, and which names of the program they may use.
fn places() -> String {
    let mut table = String::from(
        "\n## Where a fix goes\n\nAll steps of a fix are pasted together. A step says on which side and where its lines\n\
         go; they import what they need, and use no other names of the program than these.\n\n\
         | `place` | where | names that are bound there |\n|---|---|---|\n",
    );
    for place in FixPlace::ALL {
        let names: Vec<_> = place.binds().iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(table, "| `{}` | {} | {} |", place.name(), place.is_where(), names.join(", "));
    }
    table
}

fn anchor(diagnosis: &Diagnosis) -> String {
    format!("{}-{}", diagnosis.code.to_lowercase(), diagnosis.slug)
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

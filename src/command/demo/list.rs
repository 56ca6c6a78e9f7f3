//! `--list-faults`: what each part breaks, what a backend shows of it, and what
//! is to be said.

use std::io::{self, Write};

use serde::Serialize;

use super::apps::Part;
use super::lines::indented;
use crate::cli::App;
use crate::command::Outputs;
use crate::diagnosis;
use crate::report::Form;
use crate::report::human::Paint;

/// A part, for a program.
#[derive(Serialize)]
struct Listed<'p> {
    slug: &'p str,
    what: &'p str,
    seen: &'p str,
    expected: Vec<String>,
    /// What must be noted, of what is healthy.
    notes: &'p [String],
}

/// All of them, in `--format json`.
#[derive(Serialize)]
struct List<'p> {
    schema: &'static str,
    faults: Vec<Listed<'p>>,
}

/// Says what each fault is, and then what is healthy and looks like one.
pub fn list(app: App, outputs: &mut Outputs) -> anyhow::Result<()> {
    let parts = Part::all(app);
    outputs.table(|form, width, out| match form {
        Form::Prose => for_people(&parts, width, out),
        Form::Document => {
            let faults = parts.iter().map(listed).collect();
            serde_json::to_writer_pretty(&mut *out, &List { schema: "tracelink-demo/1", faults })?;
            writeln!(out)
        }
        Form::Lines => parts.iter().try_for_each(|part| {
            serde_json::to_writer(&mut *out, &listed(part))?;
            writeln!(out)
        }),
    })
}

fn listed(part: &Part) -> Listed<'_> {
    Listed {
        slug: part.slug(),
        what: part.what(),
        seen: part.seen(),
        expected: part.expects(),
        notes: part.notes(),
    }
}

fn for_people(parts: &[Part], width: usize, out: &mut dyn Write) -> io::Result<()> {
    let (healthy, broken): (Vec<_>, Vec<_>) = parts.iter().partition(|part| part.expects().is_empty());
    writeln!(out, "each breaks one thing, which tracelink must name\n")?;
    for part in broken {
        let named: Vec<_> = part.expects().iter().map(|slug| named(slug)).collect();
        writeln!(out, "{}", part.slug().strong())?;
        indented(2, "broken", part.what(), width, out)?;
        indented(2, "backend", part.seen(), width, out)?;
        indented(2, "named", &named.join(", or "), width, out)?;
    }
    writeln!(out, "\nthese are healthy: tracelink may say no more than a note\n")?;
    for part in healthy {
        writeln!(out, "{}", part.slug().strong())?;
        indented(2, "what", part.what(), width, out)?;
        indented(2, "backend", part.seen(), width, out)?;
        if !part.notes().is_empty() {
            let notes: Vec<_> = part.notes().iter().map(|slug| named(slug)).collect();
            indented(2, "noted", &notes.join(", "), width, out)?;
        }
    }
    Ok(())
}

/// A diagnosis by its code and its name.
fn named(slug: &str) -> String {
    let code = diagnosis::find(slug).map(|known| format!("{} ", known.code)).unwrap_or_default();
    format!("{code}{slug}")
}

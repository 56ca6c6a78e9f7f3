//! `--list-faults`: what each case breaks, what a backend shows of it, and what tracelink
//! has to say.

use std::io::{self, Write};

use serde::Serialize;

use super::case::Case;
use super::labelled_lines::indented;
use crate::cli::App;
use crate::command::Outputs;
use crate::diagnosis;
use crate::report::Form;
use crate::report::human::Stylize;

/// A case in JSON.
#[derive(Serialize)]
struct Listed<'p> {
    slug: &'p str,
    what: &'p str,
    seen: &'p str,
    expected: Vec<String>,
    /// The notes that a healthy case must have.
    notes: &'p [String],
}

/// All of them, in `--format json`.
#[derive(Serialize)]
struct List<'p> {
    schema: &'static str,
    faults: Vec<Listed<'p>>,
}

/// Lists the faults, and then the healthy cases that look like one.
pub fn list(app: App, outputs: &mut Outputs) -> anyhow::Result<()> {
    let cases = Case::all(app);
    outputs.table(|form, width, out| match form {
        Form::Prose => for_people(&cases, width, out),
        Form::Document => {
            let faults = cases.iter().map(listed).collect();
            serde_json::to_writer_pretty(&mut *out, &List { schema: "tracelink-demo/1", faults })?;
            writeln!(out)
        }
        Form::Lines => cases.iter().try_for_each(|case| {
            serde_json::to_writer(&mut *out, &listed(case))?;
            writeln!(out)
        }),
    })
}

fn listed(case: &Case) -> Listed<'_> {
    Listed {
        slug: case.slug(),
        what: case.what(),
        seen: case.seen(),
        expected: case.expects(),
        notes: case.notes(),
    }
}

fn for_people(cases: &[Case], width: usize, out: &mut dyn Write) -> io::Result<()> {
    let (healthy, broken): (Vec<_>, Vec<_>) = cases.iter().partition(|case| case.expects().is_empty());
    writeln!(out, "each breaks one thing, which tracelink must name\n")?;
    for case in broken {
        let named: Vec<_> = case.expects().iter().map(|slug| named(slug)).collect();
        writeln!(out, "{}", case.slug().strong())?;
        indented(2, "broken", case.what(), width, out)?;
        indented(2, "backend", case.seen(), width, out)?;
        indented(2, "named", &named.join(", or "), width, out)?;
    }
    writeln!(out, "\nthese are healthy: tracelink may say no more than a note\n")?;
    for case in healthy {
        writeln!(out, "{}", case.slug().strong())?;
        indented(2, "what", case.what(), width, out)?;
        indented(2, "backend", case.seen(), width, out)?;
        if !case.notes().is_empty() {
            let notes: Vec<_> = case.notes().iter().map(|slug| named(slug)).collect();
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

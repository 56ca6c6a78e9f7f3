//! Several cases, one after the other, as a table: what was broken, what a user would see,
//! what tracelink says, whether that is right, and how long it took.

use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::case::Case;
use super::labelled_lines::indented;
use super::mend::{self, Again};
use super::run_case::{NoObserver, RunOptions, run_case};
use crate::cli::{App, Output};
use crate::command::{Exit, Outputs};
use crate::model::Report;
use crate::report::Form;
use crate::report::human::Stylize;
use crate::report::text::{self, pad, safe};

/// What became of one case.
#[derive(Serialize)]
struct Row<'p> {
    slug: &'p str,
    /// What was broken.
    what: &'p str,
    /// What a user would see in a tracing backend.
    seen: &'p str,
    expected: Vec<String>,
    said: Vec<String>,
    right: bool,
    /// What became of the first fix of the first finding, with `--mend`.
    #[serde(skip_serializing_if = "Option::is_none")]
    mending: Option<Mending>,
    seconds: f64,
    /// Why it could not be run.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What a fix did.
#[derive(Serialize)]
struct Mending {
    fix: String,
    result: Outcome,
    /// What is left to do, or what the report still says.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

#[derive(Serialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    Mended,
    NotMended,
    /// No line of it can be pasted.
    ByHand,
}

/// The whole table, in `--format json`.
#[derive(Serialize)]
struct Matrix<'p> {
    schema: &'static str,
    right: usize,
    rows: &'p [Row<'p>],
}

/// How many cases run at a time: most of the time is waiting.
const AT_A_TIME: usize = 3;

/// Runs each case, and shows which ones were right.
pub fn run(
    cases: &[Case],
    how: &RunOptions<'_>,
    output: &Output,
    outputs: &mut Outputs,
) -> anyhow::Result<Exit> {
    let next = AtomicUsize::new(0);
    let table = Mutex::new(Table::new(cases, output, outputs));
    let at_a_time = match how.args.app {
        _ if &*how.args.broker != "embedded" => 1,
        App::Native => AT_A_TIME,
        // Its processes take a second of a core each to start.
        App::Python => 2,
    };
    let mut rows = std::thread::scope(|scope| {
        let acting: Vec<_> = (0..at_a_time)
            .map(|_| {
                scope.spawn(|| {
                    let mut rows = Vec::new();
                    while !how.interrupted.load(Ordering::Relaxed)
                        && let place = next.fetch_add(1, Ordering::Relaxed)
                        && let Some(case) = cases.get(place)
                    {
                        let Some(row) = row(case, how) else { break };
                        // A closed pipe ends it like an interruption.
                        if table.lock().unwrap_or_else(PoisonError::into_inner).row(&row).is_err() {
                            how.interrupted.store(true, Ordering::Relaxed);
                        }
                        rows.push((place, row));
                    }
                    rows
                })
            })
            .collect();
        let rows = acting
            .into_iter()
            .flat_map(|acting| acting.join().unwrap_or_else(|cause| std::panic::resume_unwind(cause)));
        rows.collect::<Vec<_>>()
    });
    rows.sort_by_key(|(place, _)| *place);
    let rows: Vec<_> = rows.into_iter().map(|(_, row)| row).collect();
    let right = rows.iter().filter(|row| row.is_right()).count();
    table.into_inner().unwrap_or_else(PoisonError::into_inner).end(&rows, right)?;
    let is_interrupted = how.interrupted.load(Ordering::Relaxed);
    Ok(Exit::of_faults(rows.len(), right).unless_interrupted(is_interrupted))
}

/// `None` if it was interrupted: half a run is neither right nor wrong.
fn row<'p>(case: &'p Case, how: &RunOptions<'_>) -> Option<Row<'p>> {
    let mut row = Row {
        slug: case.slug(),
        what: case.what(),
        seen: case.seen(),
        expected: case.expects(),
        said: Vec::new(),
        right: false,
        mending: None,
        seconds: 0.0,
        error: None,
    };
    match run_case(case, how, &mut NoObserver) {
        Ok(ran) if ran.was_interrupted => return None,
        Ok(ran) => {
            row.said = ran.said().into_iter().map(str::to_owned).collect();
            row.right = case.is_right(&ran.report);
            row.seconds = rounded(ran.took);
            if how.args.mend && !row.expected.is_empty() {
                match mending(case, how, &ran.report) {
                    Ok(mending) => row.mending = mending,
                    Err(error) => row.error = Some(format!("{error:#}")),
                }
                if how.interrupted.load(Ordering::Relaxed) {
                    return None;
                }
            }
        }
        Err(_) if how.interrupted.load(Ordering::Relaxed) => return None,
        Err(error) => row.error = Some(format!("{error:#}")),
    }
    Some(row)
}

/// Pastes the fix and shows its effect; `None` if there is no fix.
fn mending(case: &Case, how: &RunOptions<'_>, report: &Report) -> anyhow::Result<Option<Mending>> {
    let Some((_, fix)) = mend::first_fix(report) else { return Ok(None) };
    let (result, why) = match mend::again(case, how, fix)? {
        Again::ByHand(why) => (Outcome::ByHand, Some(why)),
        Again::CaseRun(ran) if mend::is_whole(&ran.report) => (Outcome::Mended, None),
        Again::CaseRun(ran) => (Outcome::NotMended, Some(ran.said().join(", "))),
    };
    Ok(Some(Mending { fix: fix.title.to_string(), result, why }))
}

/// Seconds to the hundredth.
fn rounded(took: Duration) -> f64 {
    (took.as_secs_f64() * 100.0).round() / 100.0
}

/// The table; a row is written as each case ends.
struct Table<'o> {
    outputs: &'o mut Outputs,
    is_quiet: bool,
    /// How wide the column of the slugs is.
    slugs: usize,
    total: usize,
}

impl<'o> Table<'o> {
    fn new(cases: &[Case], output: &Output, outputs: &'o mut Outputs) -> Self {
        Self {
            outputs,
            is_quiet: output.quiet,
            slugs: cases.iter().map(|case| case.slug().len()).max().unwrap_or_default(),
            total: cases.len(),
        }
    }

    fn row(&mut self, row: &Row<'_>) -> anyhow::Result<()> {
        let Self { outputs, is_quiet, slugs, .. } = self;
        outputs.table(|form, width, out| match form {
            Form::Document => Ok(()),
            Form::Lines => {
                serde_json::to_writer(&mut *out, row)?;
                writeln!(out)
            }
            Form::Prose if *is_quiet && row.is_right() => Ok(()),
            Form::Prose => row.for_people(*slugs, width, out),
        })
    }

    fn end(self, rows: &[Row<'_>], right: usize) -> anyhow::Result<()> {
        self.outputs.table(|form, _, out| match form {
            Form::Document => {
                let matrix = Matrix { schema: "tracelink-demo/1", right, rows };
                serde_json::to_writer_pretty(&mut *out, &matrix)?;
                writeln!(out)
            }
            Form::Lines => Ok(()),
            Form::Prose => {
                let left = self.total - rows.len();
                let left = if left > 0 { format!(", {left} not acted out") } else { String::new() };
                writeln!(out, "\n{right} of {} right{left}", rows.len())?;
                let wrong = rows.iter().filter(|row| !row.is_right());
                wrong.into_iter().try_for_each(|row| writeln!(out, "{} {}", "✗".broken(), row.slug))
            }
        })
    }
}

impl Row<'_> {
    /// Whether it was named, and its fix did not fail.
    fn is_right(&self) -> bool {
        let has_failed = self.mending.as_ref().is_some_and(|mending| mending.result == Outcome::NotMended);
        self.right && !has_failed && self.error.is_none()
    }

    /// Writes the row, with a column of this many letters for the slug.
    fn for_people(&self, slugs: usize, width: usize, out: &mut dyn Write) -> io::Result<()> {
        let mark = if self.is_right() { "✓".intact() } else { "✗".broken() };
        let said = match (&self.error, self.said.is_empty()) {
            (Some(_), _) => "not acted out".to_owned(),
            (None, true) => "nothing: healthy".to_owned(),
            (None, false) => self.said.join(", "),
        };
        // Writes the details of the row below it.
        let line = |label: &str, text: &str, out: &mut dyn Write| indented(2, label, text, width, out);
        let (slug, took) = (pad(self.slug, slugs), format!("{:>6.2} s", self.seconds));
        let room = width.saturating_sub(2 + slugs + 2 + took.len() + 1);
        if text::width(&said) <= room {
            writeln!(out, "{mark} {}  {} {took}", slug.strong(), pad(&said, room))?;
        } else {
            // Under its slug, where it does not fit beside it.
            writeln!(out, "{mark} {}  {} {took}", slug.strong(), pad("", room))?;
            line("says", &said, out)?;
        }
        if !self.right {
            let expected =
                if self.expected.is_empty() { "nothing".to_owned() } else { self.expected.join(" or ") };
            line("expected", &expected, out)?;
        }
        if let Some(Mending { fix, result, why }) = &self.mending {
            let why = why.as_deref().map(|why| format!(": {}", safe(why))).unwrap_or_default();
            match result {
                Outcome::Mended => line("mended", &safe(fix), out)?,
                Outcome::NotMended => line("unmended", &format!("{}{why}", safe(fix)), out)?,
                Outcome::ByHand => line("by hand", &format!("{}{why}", safe(fix)), out)?,
            }
        }
        for cause in self.error.iter().flat_map(|error| error.lines()) {
            line("error", &safe(cause), out)?;
        }
        line("broken", self.what, out)?;
        line("backend", self.seen, out)
    }
}

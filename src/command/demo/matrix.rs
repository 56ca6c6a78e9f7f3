//! Several parts, one after the other, as a table: what was broken, what a user
//! would see, what tracelink says, right or wrong, how long it took.

use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::act::{Act, Nobody, act};
use super::apps::Part;
use super::lines::indented;
use crate::cli::{App, Format, Output};
use crate::command::Exit;
use crate::report::human::Paint;
use crate::report::text::{self, pad, safe};

/// What became of one part.
#[derive(Serialize)]
struct Row<'p> {
    slug: &'p str,
    /// What was broken.
    what: &'p str,
    /// What a user would see in a backend.
    seen: &'p str,
    expected: Vec<String>,
    said: Vec<String>,
    right: bool,
    seconds: f64,
    /// Why it could not be acted out.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// The whole table, in `--format json`.
#[derive(Serialize)]
struct Matrix<'p> {
    schema: &'static str,
    right: usize,
    rows: &'p [Row<'p>],
}

/// How many parts are acted at a time: most of the time is waiting.
const AT_A_TIME: usize = 3;

/// Acts each part out, and says what was right.
pub fn run(parts: &[Part], how: &Act<'_>, output: &Output) -> anyhow::Result<Exit> {
    let next = AtomicUsize::new(0);
    let table = Mutex::new(Table::new(parts, output));
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
                        && let Some(part) = parts.get(place)
                    {
                        let Some(row) = row(part, how) else { break };
                        // A closed pipe ends it as an interruption would.
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
    let right = rows.iter().filter(|row| row.right).count();
    table.into_inner().unwrap_or_else(PoisonError::into_inner).end(&rows, right)?;
    Ok(match () {
        () if how.interrupted.load(Ordering::Relaxed) => Exit::Interrupted,
        () if right == rows.len() => Exit::Fine,
        () => Exit::Findings,
    })
}

/// `None` where it was broken off: of a half nothing is right or wrong.
fn row<'p>(part: &'p Part, how: &Act<'_>) -> Option<Row<'p>> {
    let mut row = Row {
        slug: part.slug(),
        what: part.what(),
        seen: part.seen(),
        expected: part.expects(),
        said: Vec::new(),
        right: false,
        seconds: 0.0,
        error: None,
    };
    match act(part, how, &mut Nobody) {
        Ok(acted) if acted.was_interrupted => return None,
        Ok(acted) => {
            row.said = acted.said().into_iter().map(str::to_owned).collect();
            row.right = part.is_right(&acted.report);
            row.seconds = rounded(acted.took);
        }
        Err(_) if how.interrupted.load(Ordering::Relaxed) => return None,
        Err(error) => row.error = Some(format!("{error:#}")),
    }
    Some(row)
}

/// Seconds to the hundredth.
fn rounded(took: Duration) -> f64 {
    (took.as_secs_f64() * 100.0).round() / 100.0
}

/// The table, a row as each part ends.
struct Table {
    out: io::BufWriter<anstream::Stdout>,
    format: Format,
    is_quiet: bool,
    width: usize,
    /// How wide the column of the slugs is.
    slugs: usize,
    total: usize,
}

impl Table {
    fn new(parts: &[Part], output: &Output) -> Self {
        Self {
            out: io::BufWriter::new(anstream::stdout()),
            format: output.format,
            is_quiet: output.quiet,
            width: crate::command::terminal_width(),
            slugs: parts.iter().map(|part| part.slug().len()).max().unwrap_or_default(),
            total: parts.len(),
        }
    }

    fn row(&mut self, row: &Row<'_>) -> io::Result<()> {
        match self.format {
            Format::Json => return Ok(()),
            Format::Jsonl => {
                serde_json::to_writer(&mut self.out, row)?;
                writeln!(self.out)?;
            }
            Format::Human if self.is_quiet && row.right => return Ok(()),
            Format::Human => self.row_for_people(row)?,
        }
        self.out.flush()
    }

    fn row_for_people(&mut self, row: &Row<'_>) -> io::Result<()> {
        let mark = if row.right { "✓".intact() } else { "✗".broken() };
        let said = match (&row.error, row.said.is_empty()) {
            (Some(_), _) => "not acted out".to_owned(),
            (None, true) => "nothing: healthy".to_owned(),
            (None, false) => row.said.join(", "),
        };
        let (slug, took) = (pad(row.slug, self.slugs), format!("{:>6.2} s", row.seconds));
        let room = self.width.saturating_sub(2 + self.slugs + 2 + took.len() + 1);
        if text::width(&said) <= room {
            writeln!(self.out, "{mark} {}  {} {took}", slug.strong(), pad(&said, room))?;
        } else {
            // Under its slug, where it does not fit beside it.
            writeln!(self.out, "{mark} {}  {} {took}", slug.strong(), pad("", room))?;
            self.line("says", &said)?;
        }
        if !row.right {
            let expected =
                if row.expected.is_empty() { "nothing".to_owned() } else { row.expected.join(" or ") };
            self.line("expected", &expected)?;
        }
        for line in row.error.iter().flat_map(|error| error.lines()) {
            self.line("error", &safe(line))?;
        }
        self.line("broken", row.what)?;
        self.line("backend", row.seen)
    }

    /// Says more of a row, below it.
    fn line(&mut self, label: &str, text: &str) -> io::Result<()> {
        indented(2, label, text, self.width, &mut self.out)
    }

    fn end(&mut self, rows: &[Row<'_>], right: usize) -> io::Result<()> {
        match self.format {
            Format::Json => {
                let matrix = Matrix { schema: "tracelink-demo/1", right, rows };
                serde_json::to_writer_pretty(&mut self.out, &matrix)?;
                writeln!(self.out)?;
            }
            Format::Jsonl => {}
            Format::Human => {
                let left = self.total - rows.len();
                let left = if left > 0 { format!(", {left} not acted out") } else { String::new() };
                writeln!(self.out, "\n{right} of {} right{left}", rows.len())?;
                for row in rows.iter().filter(|row| !row.right) {
                    writeln!(self.out, "{} {}", "✗".broken(), row.slug)?;
                }
            }
        }
        self.out.flush()
    }
}

//! The messages of a queue, one a line.

use std::io::{self, Write};

use comfy_table::{ContentArrangement, Table};

use super::queues::{print, table};
use super::style::mark;
use crate::model::{Ignored, MessageReport, Report, Severity};
use crate::report::format::{Verbosity, View};
use crate::report::short_ids::ShortIds;
use crate::report::text::{count, fit, safe, which_try, width};

/// How many messages are shown unless the user asks for more.
const SHOWN: usize = 10;

/// Writes the listed messages (a few, or with `--verbose` all), and says how many are left
/// out.
pub fn list(report: &Report, view: &View, out: &mut dyn Write) -> io::Result<()> {
    let is_verbose = view.verbosity == Verbosity::Verbose;
    let rows = if is_verbose { report.messages.len() } else { report.messages.len().min(SHOWN) };
    if rows == 0 {
        return Ok(());
    }
    let shown = &report.messages[..rows];
    let ids = Shown {
        messages: ShortIds::of(shown.iter().map(|message| &message.id)),
        traces: ShortIds::of(
            shown.iter().flat_map(|message| &message.contexts).filter_map(|context| context.trace_id),
        ),
    };
    print(&laid_out(shown, report, &ids, view.width), out)?;
    for message in report.messages[..rows].iter().filter(|message| message.args.is_some()) {
        let args = message.args.as_deref().unwrap_or_default();
        writeln!(out, "  {}  {}", ids.messages.cut(&message.id), safe(args))?;
    }
    let left_out = (report.messages.len() - rows) as u64 + report.limits.messages_not_listed;
    if left_out > 0 {
        writeln!(out, "  … and {} more: --verbose, or --format json", count(left_out))?;
    }
    writeln!(out)
}

/// The ids of what is shown.
struct Shown {
    messages: ShortIds,
    traces: ShortIds,
}

/// The widest table that fits: everything in a column of its own; or with the ids cut; or
/// without the origins.
fn laid_out(messages: &[MessageReport], report: &Report, ids: &Shown, columns: usize) -> Table {
    const WIDE: [&str; 10] =
        ["message", "state", "task", "id", "try", "origin", "context", "trace", "span", "verdict"];
    const NARROW: [&str; 6] = ["message", "task", "id", "origin", "context", "verdict"];
    const ORIGIN: usize = 3;
    let table = |header: &[&'static str], cells: &dyn Fn(&MessageReport) -> Vec<String>| {
        let mut table = table(columns, header.iter().copied());
        table.set_content_arrangement(ContentArrangement::Disabled);
        for message in messages {
            table.add_row(cells(message));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        table
    };
    let fits = |table: &Table| table.lines().all(|line| width(line.trim_end()) < columns);
    for ids in [None, Some(ids)] {
        let wide = table(&WIDE, &|message| wide(message, report, ids));
        if fits(&wide) {
            return wide;
        }
    }
    let cut = table(&NARROW, &|message| narrow(message, report, ids));
    if fits(&cut) {
        return cut;
    }
    let mut header = NARROW.to_vec();
    header.remove(ORIGIN);
    let mut without_origin = table(&header, &|message| {
        let mut cells = narrow(message, report, ids);
        cells.remove(ORIGIN);
        cells
    });
    if !fits(&without_origin) {
        for column in without_origin.column_iter_mut() {
            column.set_padding((0, 1));
        }
    }
    without_origin
}

/// `celery[3]`, `celery:6[3]` at priority 6, and the state where it is not waiting in its list.
fn place(message: &MessageReport) -> String {
    match message.index {
        Some(index) if message.priority > 0 => {
            format!("{}:{}[{index}]", fit(&safe(&message.queue), 12), message.priority)
        }
        Some(index) => format!("{}[{index}]", fit(&safe(&message.queue), 14)),
        None => format!("{} {}", fit(&safe(&message.queue), 10), message.state),
    }
}

/// Fits 80 columns: the ids are cut, and the attempt is next to the id.
fn narrow(message: &MessageReport, report: &Report, ids: &Shown) -> Vec<String> {
    let attempt =
        if message.attempt > 0 { format!(" try {}", which_try(message.attempt)) } else { String::new() };
    let trace = message
        .contexts
        .iter()
        .find_map(|context| context.trace_id)
        .map(|id| format!(" {}", ids.traces.cut(&id)));
    vec![
        place(message),
        fit(&safe(&message.task), 17),
        format!("{}{attempt}", ids.messages.cut(&message.id)),
        fit(&message.origin.as_deref().map(safe).unwrap_or_default(), 12),
        format!("{}{}", fit(&formats(message), 10), trace.unwrap_or_default()),
        verdict(message, report),
    ]
}

/// Everything in a column of its own, the ids whole or cut.
fn wide(message: &MessageReport, report: &Report, ids: Option<&Shown>) -> Vec<String> {
    let named = message.contexts.iter().find(|context| context.trace_id.is_some());
    let trace = named.and_then(|context| context.trace_id);
    let trace = trace.map(|id| ids.map_or_else(|| id.to_string(), |ids| ids.traces.cut(&id)));
    let span = named.and_then(|context| context.span_id).map(|id| id.to_string());
    vec![
        place(message),
        message.state.to_owned(),
        fit(&safe(&message.task), 24),
        ids.map_or_else(|| safe(&message.id), |ids| ids.messages.cut(&message.id)),
        which_try(message.attempt).to_string(),
        fit(&message.origin.as_deref().map(safe).unwrap_or_default(), 16),
        fit(&formats(message), 16),
        trace.unwrap_or_default(),
        span.unwrap_or_default(),
        verdict(message, report),
    ]
}

fn verdict(message: &MessageReport, report: &Report) -> String {
    let finding =
        message.findings.first().and_then(|id| report.findings.iter().find(|finding| finding.id == *id));
    match finding {
        None if ignored(message, report).is_some() => "· ignored".to_owned(),
        None => "✓".to_owned(),
        // What it carries is right all the same.
        Some(finding) if finding.severity == Severity::Note => {
            format!("✓ {} {}", mark(finding.severity), finding.code)
        }
        Some(finding) => format!("{} {}", mark(finding.severity), finding.code),
    }
}

/// The ignored finding at warning or above that a message belongs to.
fn ignored<'r>(message: &MessageReport, report: &'r Report) -> Option<&'r Ignored> {
    let mut loud = report.ignored.iter().filter(|ignored| ignored.severity < Severity::Note);
    loud.find(|ignored| message.findings.contains(&ignored.id))
}

/// The formats of a message's contexts, with what is wrong with them.
fn formats(message: &MessageReport) -> String {
    let described = message.contexts.iter().map(|context| match (context.valid, context.sampled) {
        (false, _) => format!("{}✗", context.format),
        (true, Some(false)) => format!("{} off", context.format),
        (true, _) => context.format.to_owned(),
    });
    let described: Vec<_> = described.collect();
    if described.is_empty() { "none".to_owned() } else { described.join(" ") }
}

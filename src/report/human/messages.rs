//! The messages of a queue, one a line.

use std::io::{self, Write};

use super::queues::{print, table};
use super::{Verbosity, View};
use crate::model::{ContextReport, MessageReport, Report};
use crate::report::text::{count, safe, short_id};

/// How many messages are shown unless more were asked for.
const SHOWN: usize = 10;

/// Writes the messages that are listed, a few or with `--verbose` all, and
/// says how many are left out.
pub fn list(report: &Report, view: &View, out: &mut dyn Write) -> io::Result<()> {
    let is_verbose = view.verbosity == Verbosity::Verbose;
    let rows = if is_verbose { report.messages.len() } else { report.messages.len().min(SHOWN) };
    if rows == 0 {
        return Ok(());
    }
    let mut messages = table(
        view.width,
        ["queue", "state", "task", "id", "try", "origin", "context", "trace · span", "verdict"],
    );
    for message in &report.messages[..rows] {
        messages.add_row(row(message, report));
    }
    print(&messages, out)?;
    for message in report.messages[..rows].iter().filter(|message| message.args.is_some()) {
        let args = message.args.as_deref().unwrap_or_default();
        writeln!(out, "  {}  {}", safe(&short_id(&message.id)), safe(args))?;
    }
    let left_out = (report.messages.len() - rows) as u64 + report.limits.messages_not_listed;
    if left_out > 0 {
        writeln!(out, "  … and {} more: --verbose, or --format json", count(left_out))?;
    }
    writeln!(out)
}

fn row(message: &MessageReport, report: &Report) -> [String; 9] {
    let place = message
        .index
        .map_or_else(|| safe(&message.queue), |index| format!("{}[{index}]", safe(&message.queue)));
    let contexts: Vec<_> = message.contexts.iter().map(context).collect();
    let ids: Vec<_> = message.contexts.iter().filter_map(ids).collect();
    let finding =
        message.findings.first().and_then(|id| report.findings.iter().find(|finding| finding.id == *id));
    [
        place,
        message.state.to_owned(),
        safe(&message.task),
        safe(&short_id(&message.id)),
        message.attempt.to_string(),
        message.origin.as_deref().map(safe).unwrap_or_default(),
        if contexts.is_empty() { "none".to_owned() } else { contexts.join(" ") },
        ids.first().cloned().unwrap_or_default(),
        finding.map_or_else(
            || "✓".to_owned(),
            |finding| format!("{} {}", super::paint::mark(finding.severity), finding.code),
        ),
    ]
}

fn context(context: &ContextReport) -> String {
    let sampled = match (context.valid, context.sampled) {
        (false, _) => " invalid",
        (true, Some(false)) => " unsampled",
        (true, _) => "",
    };
    format!("{}{sampled}", context.format)
}

fn ids(context: &ContextReport) -> Option<String> {
    let (trace, span) = (context.trace_id?.to_string(), context.span_id?.to_string());
    Some(format!("{}… {}…", &trace[..8], &span[..6]))
}

//! Drawing a tree: the columns, the bar of the time, and each line.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::layout::{Content, Line, Shown};
use crate::model::{Report, SpanId, SpanReport, Timestamp, TraceReport};
use crate::report::format::View;
use crate::report::human::short_ids::ShortIds;
use crate::report::human::style::Stylize;
use crate::report::text::{self, count, duration, fit, pad, safe, width};

/// What all trees of one hand-off share.
pub struct Drawing<'r> {
    waits: Waits,
    clock: Clock,
    columns: Columns,
    ids: &'r ShortIds,
}

impl<'r> Drawing<'r> {
    /// Over these traces of the report; `None` if they have no spans.
    pub fn over(report: &Report, traces: &[&TraceReport], view: &View, ids: &'r ShortIds) -> Option<Self> {
        let clock = Clock::over(traces)?;
        Some(Self { waits: waits_of(report), clock, columns: Columns::over(traces, view.width, ids), ids })
    }

    /// Draws a trace.
    pub fn tree(&self, trace: &TraceReport, out: &mut dyn Write) -> io::Result<()> {
        let Shown { lines, more } = Shown::of(trace);
        for line in &lines {
            match &line.content {
                Content::Span(span) => self.line(trace, line, span, out)?,
                Content::Folded(what, _) => {
                    let room = self.columns.all().saturating_sub(width(&line.branch));
                    let text = fit(&format!("… and {what}"), room);
                    writeln!(out, "  {}{}", line.branch.as_str().faint(), text.faint())?;
                }
            }
        }
        if more > 0 {
            let spans = if more == 1 { "span" } else { "spans" };
            writeln!(out, "  {}", format!("… {} more {spans}", count(more)).faint())?;
        }
        Ok(())
    }

    fn line(
        &self,
        trace: &TraceReport,
        line: &Line<'_>,
        span: &SpanReport,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let columns = &self.columns;
        if line.depth > 0
            && let Some((wait, attempt)) = self.waits.get(&span.span_id)
        {
            let indent: String = line.branch.chars().take(line.branch.chars().count() - 3).collect();
            let attempt = if *attempt > 0 { format!("   attempt {}", attempt + 1) } else { String::new() };
            let wait = format!("{}{attempt}", waited(trace, span, *wait));
            writeln!(out, "  {}{} {}", indent.faint(), "┆".faint(), wait.faint())?;
        }
        let room = columns.name.saturating_sub(width(&line.branch));
        let name = pad(&safe(&span.name), room);
        let service = if line.names_its_service() { safe(&span.service) } else { String::new() };
        let time = format!("{:>8}", duration(span.duration_ms));
        write!(
            out,
            "  {}{name} {} {time}",
            line.branch.as_str().faint(),
            pad(&service, columns.service).faint()
        )?;
        if columns.bar > 0 {
            write!(out, " {}", self.clock.bar(span, columns.bar).faint())?;
        }
        if line.depth == 0 {
            let id = self.ids.cut(&trace.trace_id);
            if columns.id > 0 {
                write!(out, " {}", id.faint())?;
            } else {
                write!(out, "\n  {}{}", line.below.as_str().faint(), id.faint())?;
            }
        }
        writeln!(out)?;
        if let Some(exception) = &span.exception {
            let room = columns.all().saturating_sub(width(&line.below));
            writeln!(out, "  {}{}", line.below.as_str().faint(), fit(&safe(exception), room).broken())?;
        }
        Ok(())
    }
}

/// How long each run's message was in the queue, in milliseconds, and which attempt it is,
/// counted from 0.
pub type Waits = BTreeMap<SpanId, (f64, u32)>;

pub fn waits_of(report: &Report) -> Waits {
    let waits = report.handoffs.iter().filter_map(|handoff| Some((handoff, handoff.queue_wait_ms?)));
    let each = waits.flat_map(|(handoff, wait)| {
        handoff.consumers.iter().map(move |(_, span)| (*span, (wait, handoff.attempt)))
    });
    each.collect()
}

/// The time that a bar spans.
pub struct Clock {
    start: Timestamp,
    millis: f64,
}

impl Clock {
    pub fn over(traces: &[&TraceReport]) -> Option<Self> {
        let spans = || traces.iter().flat_map(|trace| &trace.spans);
        let start = spans().map(|span| span.start).min()?;
        let millis =
            spans().map(|span| span.start.millis_since(start) + span.duration_ms).fold(0.0, f64::max);
        Some(Self { start, millis: millis.max(0.001) })
    }

    /// A bar of this many columns, filled from the span's start to its end.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "columns of a terminal"
    )]
    fn bar(&self, span: &SpanReport, columns: usize) -> String {
        let scale = columns as f64 / self.millis;
        let from = ((span.start.millis_since(self.start) * scale) as usize).min(columns.saturating_sub(1));
        let filled = (((span.duration_ms * scale).ceil() as usize).max(1)).min(columns - from);
        format!("▕{}{}{}▏", " ".repeat(from), "█".repeat(filled), " ".repeat(columns - from - filled))
    }
}

/// The text for a run's wait. A worker may begin before the publishing span has ended and,
/// if the clocks of two machines differ, even before it has begun.
fn waited(trace: &TraceReport, run: &SpanReport, wait: f64) -> String {
    if wait >= 0.0 {
        return format!("{} in the queue", duration(wait));
    }
    let producer = trace.spans.iter().find(|span| Some(span.span_id) == run.parent_id);
    if producer.is_some_and(|producer| run.start < producer.start) {
        return "begins before it was published: the clocks differ".to_owned();
    }
    format!("taken {} before the publishing ended", duration(-wait))
}

/// How wide each part of a line is.
struct Columns {
    name: usize,
    service: usize,
    /// None if a terminal is too narrow for one.
    bar: usize,
    /// None if an id has a line of its own.
    id: usize,
}

impl Columns {
    /// What a line takes besides: the margin, the time and the edges of the bar.
    const BESIDES: usize = 2 + 10 + 3;
    /// What is left at least for the names and the bar, beside a trace's id.
    const LEAST: usize = 35;
    /// A bar is drawn from this many columns on.
    const WITH_BAR: usize = 72;
    const BAR: (usize, usize) = (8, 48);
    /// A service's name is not cut to less.
    const SERVICE: usize = 12;

    /// As wide as these traces' names, if there is room.
    fn over(traces: &[&TraceReport], width: usize, ids: &ShortIds) -> Self {
        let (mut name, mut service) = (0, 0);
        for trace in traces {
            for line in &Shown::of(trace).lines {
                let Some(span) = line.span() else { continue };
                name = name.max(text::width(&line.branch) + text::width(&safe(&span.name)));
                if line.names_its_service() {
                    service = service.max(text::width(&safe(&span.service)));
                }
            }
        }
        let id = ids.width() + 1;
        let id = if width < Self::BESIDES + id + Self::LEAST { 0 } else { id };
        let room = width.saturating_sub(Self::BESIDES + id);
        let least_bar = if width < Self::WITH_BAR { 0 } else { Self::BAR.0 };
        let service = service.min((room / 4).max(Self::SERVICE)).max(1);
        let name = name.min(room.saturating_sub(service + least_bar)).max(12);
        let bar = if least_bar == 0 { 0 } else { room.saturating_sub(name + service).min(Self::BAR.1) };
        Self { name, service, bar, id }
    }

    fn all(&self) -> usize {
        self.name + self.service + self.bar
    }
}

//! Drawing a layout: the columns, the bar of the time, and each line.

use std::io::{self, Write};

use crate::model::{SpanReport, TraceReport};
use crate::report::format::View;
use crate::report::human::style::Stylize;
use crate::report::short_ids::ShortIds;
use crate::report::stitched::{self, Axis, Content, Row, Stitched};
use crate::report::text::{self, count, duration, fit, pad, safe, which_try, width};

/// A layout, and how it is drawn.
pub struct Drawing<'r> {
    stitched: &'r Stitched,
    traces: &'r [TraceReport],
    axis: Axis,
    columns: Columns,
    ids: &'r ShortIds,
}

impl<'r> Drawing<'r> {
    /// Of the traces that were laid out; `None` if they have no spans.
    pub fn of(
        stitched: &'r Stitched,
        traces: &'r [TraceReport],
        view: &View,
        ids: &'r ShortIds,
    ) -> Option<Self> {
        let axis = stitched.axis?;
        let columns = Columns::over(stitched, traces, view.width, ids);
        Some(Self { stitched, traces, axis, columns, ids })
    }

    /// Draws all of it.
    pub fn draw(&self, out: &mut dyn Write) -> io::Result<()> {
        self.stitched.rows.iter().try_for_each(|row| self.row(row, out))
    }

    fn row(&self, row: &Row, out: &mut dyn Write) -> io::Result<()> {
        let branch = row.branch.as_str().faint();
        let later = |millis: &Option<f64>| {
            millis.map(|millis| format!("   {}", stitched::later(millis))).unwrap_or_default()
        };
        match &row.content {
            Content::Span { from, length, is_entry, below, .. } => {
                let Some(span) = self.stitched.span(row, self.traces) else { return Ok(()) };
                let bar = bar(self.axis, *from, *length, self.columns.bar);
                self.span(row, span, *is_entry, &bar, out)?;
                if row.depth == 0 { self.id(row, below, out) } else { writeln!(out) }
            }
            Content::Folded { what, .. } => {
                let room = self.columns.all().saturating_sub(width(&row.branch));
                writeln!(out, "  {branch}{}", fit(&format!("… and {what}"), room).faint())
            }
            Content::Wait { text, attempt, .. } => {
                let attempt =
                    if *attempt > 0 { format!("   attempt {}", which_try(*attempt)) } else { String::new() };
                writeln!(out, "  {branch}{} {}", "┆".faint(), format!("{text}{attempt}").faint())
            }
            Content::Exception { .. } => {
                let exception =
                    self.stitched.span(row, self.traces).and_then(|span| span.exception.as_deref());
                let room = self.columns.all().saturating_sub(width(&row.branch));
                writeln!(out, "  {branch}{}", fit(&safe(exception.unwrap_or_default()), room).broken())
            }
            Content::More { spans } => {
                let noun = if *spans == 1 { "span" } else { "spans" };
                writeln!(out, "  {}", format!("… {} more {noun}", count(*spans)).faint())
            }
            Content::Gap { gap, later_ms, .. } => {
                let text = gap.words(|id| self.ids.cut(id));
                writeln!(out, "  {}  {text}{}", "╳".broken(), later(later_ms).faint())
            }
            Content::Link { later_ms, .. } => {
                let text = "linked: a trace of its own, by choice";
                writeln!(out, "  {}  {text}{}", "↪".intact(), later(later_ms).faint())
            }
        }
    }

    /// A span's line without its end.
    fn span(
        &self,
        row: &Row,
        span: &SpanReport,
        is_entry: bool,
        bar: &str,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let columns = &self.columns;
        let room = columns.name.saturating_sub(width(&row.branch));
        let name = pad(&safe(&span.name), room);
        let service = if is_entry { safe(&span.service) } else { String::new() };
        let time = format!("{:>8}", duration(span.duration_ms));
        let service = pad(&service, columns.service);
        write!(out, "  {}{name} {} {time}", row.branch.as_str().faint(), service.faint())?;
        if columns.bar > 0 { write!(out, " {}", bar.faint()) } else { Ok(()) }
    }

    /// The id of a trace, at the end of its first line or below that.
    fn id(&self, row: &Row, below: &str, out: &mut dyn Write) -> io::Result<()> {
        let id = self.stitched.trace(row, self.traces).map(|trace| self.ids.cut(&trace.trace_id));
        let id = id.unwrap_or_default();
        if self.columns.id > 0 {
            writeln!(out, " {}", id.faint())
        } else {
            writeln!(out, "\n  {}{}", below.faint(), id.faint())
        }
    }
}

/// A bar of this many columns, filled from the span's start to its end.
fn bar(axis: Axis, from: f64, length: f64, columns: usize) -> String {
    if columns == 0 {
        return String::new();
    }
    let (before, filled) = axis.cells(from, length, columns);
    format!("▕{}{}{}▏", " ".repeat(before), "█".repeat(filled), " ".repeat(columns - before - filled))
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
    fn over(stitched: &Stitched, traces: &[TraceReport], width: usize, ids: &ShortIds) -> Self {
        let (mut name, mut service) = (0, 0);
        for row in &stitched.rows {
            let Content::Span { is_entry, .. } = row.content else { continue };
            let Some(span) = stitched.span(row, traces) else { continue };
            name = name.max(text::width(&row.branch) + text::width(&safe(&span.name)));
            if is_entry {
                service = service.max(text::width(&safe(&span.service)));
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

//! The chosen passage as a tree with a time bar: only the rows of the window are drawn.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::opened::Opened;
use super::paint::{self, cell, cell_right};
use super::theme::Theme;
use crate::model::{SpanReport, Station, Stations};
use crate::report::short_ids::ShortIds;
use crate::report::stitched::{self, Axis, Content, Detail, Row};
use crate::report::text::{count, duration, fit, plural, safe, which_try, width};

/// What comes before the rows of a trace that should have gone on from the one above.
const TORN: &str = "┊  ";

/// The columns of a tree.
struct Columns {
    name: usize,
    service: usize,
    /// 0 where a window is too narrow.
    bar: usize,
    /// Of the window.
    all: usize,
}

impl Columns {
    const MARGIN: usize = 2;
    const TIME: usize = 9;
    /// From so many columns on there is a bar.
    const WITH_BAR: usize = 72;
    const LEAST_BAR: usize = 10;

    fn of(opened: &Opened, columns: usize) -> Self {
        let room = columns.saturating_sub(Self::MARGIN + Self::TIME + 1);
        let least_bar = if columns < Self::WITH_BAR { 0 } else { Self::LEAST_BAR + 3 };
        let service = opened.service_width.min((room / 4).max(10)).max(1);
        let torn = if opened.stitched.fragments.len() > 1 { width(TORN) } else { 0 };
        // Folded rows say behind the name how much they hide.
        let wanted = opened.name_width + torn + 8;
        let name = wanted.min(room.saturating_sub(service + 1 + least_bar)).max(8);
        let bar = if least_bar == 0 { 0 } else { room.saturating_sub(name + service + 1 + 3) };
        Self { name, service, bar, all: columns }
    }
}

/// Draws it.
pub fn draw(opened: &Opened, has_focus: bool, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let columns = usize::from(area.width);
    let passage = &opened.passage;
    let mut title = vec![Span::styled(
        format!("{} {}", passage.health.mark(), passage.health.word()),
        theme.by_health(passage.health),
    )];
    let name = if has_focus { theme.strong() } else { theme.faint() };
    title.push(Span::styled(format!("  {}", fit(&opened.stitched.title, columns.saturating_sub(24))), name));
    let hint = match (opened.has_all(), opened.detail) {
        (false, _) => "⏎ all spans",
        (true, Detail::Everything) => "every span",
        (true, _) => "",
    };
    paint::line(buffer, area, 0, &paint::rule(columns, title, hint, theme.faint()));
    paint::line(buffer, area, 1, &about(opened, columns, theme));
    let layout = Columns::of(opened, columns);
    let ids = ShortIds::of(opened.traces().iter().take(100).map(|trace| trace.trace_id));
    let rows = usize::from(area.height).saturating_sub(2);
    for (at, (place, row)) in opened.window(rows).enumerate() {
        let line = of_row(opened, row, opened.hides(place), &layout, &ids, theme);
        paint::line(buffer, area, at + 2, &line);
        if place == opened.chosen {
            paint::tint(buffer, area, at + 2, theme.chosen(has_focus));
        }
    }
}

/// The stations, and in how many pieces it came.
fn about(opened: &Opened, columns: usize, theme: Theme) -> Line<'static> {
    let mut spans = vec![Span::raw("  ")];
    if let Some(stations) = opened.stitched.stations {
        spans.extend(stations_line(stations, theme));
        spans.push(Span::raw("   "));
    }
    let pieces = opened.stitched.fragments.len();
    let held: u64 = opened.traces().iter().map(|trace| trace.span_count).sum();
    let more = format!("{} in {}", plural(held, "span"), plural(pieces as u64, "trace"));
    let taken: usize = spans.iter().map(|span| width(&span.content)).sum();
    if taken + width(&more) <= columns && held > 0 {
        spans.push(Span::styled(more, theme.faint()));
    }
    Line::from(spans)
}

/// `request ✓ ── inject ✓ ── carry ✗ ── extract · ── export ·`.
fn stations_line(stations: Stations, theme: Theme) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    for station in Station::ALL {
        if station != Station::Request {
            spans.push(Span::styled(" ── ", theme.faint()));
        }
        let state = stations.get(station);
        spans.push(Span::raw(format!("{} ", station.label())));
        spans.push(Span::styled(state.mark(), theme.by_state(state)));
    }
    spans
}

fn of_row(
    opened: &Opened,
    row: &Row,
    hides: Option<usize>,
    layout: &Columns,
    ids: &ShortIds,
    theme: Theme,
) -> Line<'static> {
    let is_torn = row.fragment > 0
        && matches!(
            row.content,
            Content::Span { .. }
                | Content::Folded { .. }
                | Content::Wait { .. }
                | Content::Exception { .. }
                | Content::More { .. }
        );
    let torn = if is_torn { TORN } else { "" };
    let mut spans = vec![Span::raw("  "), Span::styled(torn, theme.damaged())];
    let branch = Span::styled(row.branch.clone(), theme.faint());
    let later = |millis: &Option<f64>| {
        millis.map(|millis| format!("   {}", stitched::later(millis))).unwrap_or_default()
    };
    match &row.content {
        Content::Span { from, length, is_entry, .. } => {
            let Some(span) = opened.stitched.span(row, opened.traces()) else { return Line::default() };
            let taken = width(torn) + width(&row.branch);
            spans.push(branch);
            spans.push(name_of(span, hides, layout.name.saturating_sub(taken), theme));
            let service = if *is_entry { safe(&span.service) } else { String::new() };
            let colour = theme.by_service(&span.service);
            spans.push(cell(&service, layout.service, colour));
            spans.push(cell_right(&duration(span.duration_ms), Columns::TIME - 1, Style::new()));
            if let Some(axis) = opened.stitched.axis.filter(|_| layout.bar > 0) {
                let colour = if span.status == "error" { theme.broken() } else { colour };
                spans.extend(bar(axis, *from, *length, layout.bar, colour, theme));
            }
        }
        Content::Folded { what, .. } => {
            spans.push(branch);
            spans.push(Span::styled(format!("… and {what}"), theme.faint()));
        }
        Content::Wait { text, attempt, .. } => {
            let attempt =
                if *attempt > 0 { format!("   attempt {}", which_try(*attempt)) } else { String::new() };
            spans.push(branch);
            spans.push(Span::styled(format!("┆ {text}{attempt}"), theme.faint()));
        }
        Content::Exception { .. } => {
            let span = opened.stitched.span(row, opened.traces());
            let exception = span.and_then(|span| span.exception.as_deref()).unwrap_or_default();
            spans.push(branch);
            spans.push(Span::styled(safe(exception), theme.broken()));
        }
        Content::More { spans: more } => {
            let noun = if *more == 1 { "span" } else { "spans" };
            spans.push(Span::styled(format!("… {} more {noun}", count(*more)), theme.faint()));
        }
        Content::Gap { gap, station, later_ms, .. } => {
            let (mark, style) = match station {
                Some(_) => ("╳", theme.broken()),
                None => ("╌", theme.damaged()),
            };
            spans.push(Span::styled(format!("{mark}  {}", gap.words(|id| ids.cut(id))), style));
            spans.push(Span::styled(later(later_ms), theme.faint()));
            let at = station.map(|station| format!("   at {}", station.label())).unwrap_or_default();
            let taken: usize = spans.iter().map(|span| width(&span.content)).sum();
            // The line of the stations says it too.
            if taken + width(&at) <= layout.all {
                spans.push(Span::styled(at, style));
            }
        }
        Content::Link { later_ms, .. } => {
            spans.push(Span::styled("↪", theme.intact()));
            spans.push(Span::raw("  linked: a trace of its own, by choice"));
            spans.push(Span::styled(later(later_ms), theme.faint()));
        }
    }
    Line::from(spans)
}

/// The name of a span, and how much is folded below it.
fn name_of(span: &SpanReport, hides: Option<usize>, room: usize, theme: Theme) -> Span<'static> {
    let style = match () {
        () if span.orphan.is_some() || span.status == "error" => theme.broken(),
        () if hides.is_some() => theme.strong(),
        () => Style::new(),
    };
    match hides {
        None => cell(&safe(&span.name), room, style),
        Some(hidden) => {
            let hidden = format!(" +{}", count(hidden as u64));
            let name = fit(&safe(&span.name), room.saturating_sub(width(&hidden)));
            cell(&format!("{name}{hidden}"), room, style)
        }
    }
}

/// A bar, filled from the start to the end of a span.
fn bar(
    axis: Axis,
    from: f64,
    length: f64,
    columns: usize,
    colour: Style,
    theme: Theme,
) -> [Span<'static>; 3] {
    let (before, filled) = axis.cells(from, length, columns);
    let after = columns - before - filled;
    [
        Span::styled(format!("▕{}", " ".repeat(before)), theme.faint()),
        Span::styled("█".repeat(filled), colour),
        Span::styled(format!("{}▏", " ".repeat(after)), theme.faint()),
    ]
}

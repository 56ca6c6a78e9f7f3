//! The stitched view: the rows of a passage on one time axis, with the gap as a band and a
//! dashed line where a parent should have been.
//!
//! A bar is placed by the attributes of SVG, as the page's policy allows no style in an
//! element. Rows stand in groups, so that a browser lays out only those that are seen.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::colours::Colours;
use super::names::{SENTENCE, name};
use crate::model::{Station, TraceReport};
use crate::report::stitched::{Axis, Content, Detail, Fragment, Gap, Parts, Row, Stitched};
use crate::report::text::{clip, count, duration, which_try};

/// How many rows a browser lays out at a time: `page.css` has their height.
const GROUP: usize = 50;
/// Rows are indented so deep at most: `page.css` has the classes.
const DEPTH: usize = 16;
/// Between the two sides of a gap, a line is drawn over so many rows at most.
const LINE: usize = 1_000;

/// What of a passage is drawn.
pub(super) struct Drawn<'d> {
    pub stitched: &'d Stitched,
    pub traces: &'d [TraceReport],
    /// Where it broke, if a finding says so.
    pub station: Option<Station>,
    /// How many rows are drawn at most; the rest is counted.
    pub most: usize,
}

/// The rows that stay hidden at first: what a folded layout leaves out. None if that would
/// be everything.
pub(super) struct Folded(BTreeSet<(usize, usize)>);

impl Folded {
    /// The spans of the layout in which spans that are alike stand as one row.
    pub(super) fn of(stitched: &Stitched) -> Self {
        let spans = stitched.rows.iter().filter_map(|row| match row.content {
            Content::Span { index, .. } => Some((stitched.fragments.get(row.fragment)?.trace, index)),
            _ => None,
        });
        Self(spans.collect())
    }

    /// How many of the spans that are drawn it hides.
    pub(super) fn hidden(&self, drawn: &Drawn<'_>) -> usize {
        let rows = drawn.stitched.rows.iter().take(drawn.most);
        let spans = rows.filter(|row| matches!(row.content, Content::Span { .. }));
        let fragments = &drawn.stitched.fragments;
        spans
            .filter(|row| fragments.get(row.fragment).is_some_and(|fragment| self.hides(fragment, row)))
            .count()
    }

    fn hides(&self, fragment: &Fragment, row: &Row) -> bool {
        match row.content {
            Content::Span { index, .. } | Content::Exception { index } => {
                !self.0.contains(&(fragment.trace, index))
            }
            _ => false,
        }
    }
}

/// The services in the order in which the rows name them.
pub(super) fn services<'d>(drawn: &Drawn<'d>) -> Vec<&'d str> {
    let mut seen = BTreeSet::new();
    let spans = drawn.stitched.rows.iter().filter_map(|row| drawn.stitched.span(row, drawn.traces));
    spans.map(|span| &*span.service).filter(|service| seen.insert(*service)).collect()
}

/// All rows. `folded` says which of them are hidden until the reader asks for all.
pub(super) fn view(drawn: &Drawn<'_>, folded: Option<&Folded>, colours: &Colours) -> Markup {
    let Drawn { stitched, .. } = drawn;
    let Some(axis) = &stitched.axis else { return html! {} };
    let rows = &stitched.rows[..stitched.rows.len().min(drawn.most)];
    let lines = Lines::of(axis, rows);
    let places: Vec<_> = (0..rows.len()).collect();
    html! {
        div.stitched {
            div.axis aria-hidden="true" {
                span {}
                svg.b { @for tick in ticks(axis) { (tick) } }
            }
            div role="list" aria-label="Spans, in the order in which they were called" {
                @for group in places.chunks(GROUP) {
                    div.group.whole[group.len() == GROUP] {
                        @for place in group { (row(drawn, axis, *place, folded, &lines, colours)) }
                    }
                }
            }
            @let left_out = stitched.rows.len() - rows.len();
            @if left_out > 0 {
                p.left-out { (count(left_out as u64)) " more rows are left out for want of room." }
            }
        }
    }
}

fn row(
    drawn: &Drawn<'_>,
    axis: &Axis,
    place: usize,
    folded: Option<&Folded>,
    lines: &Lines,
    colours: &Colours,
) -> Markup {
    let Drawn { stitched, traces, .. } = drawn;
    let row = &stitched.rows[place];
    let Some(fragment) = stitched.fragments.get(row.fragment) else {
        return between(drawn, row, lines, place);
    };
    let is_hidden = folded.is_some_and(|folded| folded.hides(fragment, row));
    let depth = depth(row);
    let level = row.depth + 1;
    let head = (fragment.rows.start == place).then(|| traces.get(fragment.trace)).flatten();
    let shown = match &row.content {
        Content::Span { from, length, is_entry, .. } => {
            let Some(span) = stitched.span(row, traces) else { return html! {} };
            let (failed, orphan) = (span.status == "error", span.orphan.is_some());
            let colour = colours.class(&span.service);
            let title = (span.name.len() > 40).then(|| name(&span.name));
            let bar = Bar::of(*from, *length, axis);
            html! {
                div.r.(depth).(colour).failed[failed].orphan[orphan].folded[is_hidden] role="listitem"
                    aria-level=(level) {
                    span.n title=[title] { (name(&span.name)) }
                    span.v.entry-point[*is_entry] { (name(&span.service)) }
                    span.t { (duration(span.duration_ms)) }
                    svg.b aria-hidden="true" { (lines.at(place)) (bar.drawn()) }
                }
            }
        }
        Content::Exception { .. } => {
            let said = stitched.span(row, traces).and_then(|span| span.exception.as_deref());
            note(row, "exception", is_hidden, &clip(said.unwrap_or_default(), SENTENCE), lines.at(place))
        }
        Content::Folded { what, .. } => note(row, "quiet", false, &clip(what, SENTENCE), lines.at(place)),
        Content::Wait { text, attempt, .. } => {
            let again =
                if *attempt > 0 { format!(", attempt {}", which_try(*attempt)) } else { String::new() };
            note(row, "quiet", false, &clip(&format!("{text}{again}"), SENTENCE), lines.at(place))
        }
        Content::More { spans } => {
            let spans = format!("… {} more spans", count(*spans));
            note(row, "quiet", false, &spans, lines.at(place))
        }
        Content::Gap { .. } | Content::Link { .. } => return between(drawn, row, lines, place),
    };
    html! {
        @if let Some(trace) = head { (heading(trace, lines.above(place))) }
        (shown)
    }
}

/// A row of one sentence.
fn note(row: &Row, kind: &str, is_hidden: bool, text: &str, line: Markup) -> Markup {
    let (depth, level) = (depth(row), row.depth + 1);
    html! {
        div.r.(depth).(kind).folded[is_hidden] role="listitem" aria-level=(level) {
            span.n.wide { (text) }
            svg.b aria-hidden="true" { (line) }
        }
    }
}

/// The row above a fragment: whose trace it is.
fn heading(trace: &TraceReport, line: Markup) -> Markup {
    let id = trace.trace_id.to_string();
    html! {
        div.r.fragment role="listitem" {
            span.n.wide { a href={ "#trace-" (id) } { "trace " code { (id) } } }
            svg.b aria-hidden="true" { (line) }
        }
    }
}

/// What lies between two fragments: the gap, or a link by choice.
fn between(drawn: &Drawn<'_>, row: &Row, lines: &Lines, place: usize) -> Markup {
    let later = |millis: &Option<f64>| millis.map(|millis| format!("{} later", duration(millis)));
    match &row.content {
        Content::Gap { gap, station, later_ms, .. } => {
            let is_calm = *gap == Gap::NoRunYet;
            let station = station.or(drawn.station).filter(|_| !is_calm);
            let words = gap.words(ToString::to_string);
            html! {
                div.r.gap.calm[is_calm] role="listitem" {
                    span.n.wide {
                        @if is_calm { span.mark aria-hidden="true" { "…" } }
                        @else { span.mark aria-hidden="true" { "✗" } }
                        @if let Some(station) = station { strong { (station.label()) } " " }
                        span { (words) }
                        @if let Some(later) = later(later_ms) { " " span.later { (later) } }
                    }
                    svg.b aria-hidden="true" { (lines.at(place)) }
                }
            }
        }
        Content::Link { later_ms, .. } => html! {
            div.r.link role="listitem" {
                span.n.wide {
                    span.mark aria-hidden="true" { "↪" }
                    span { "linked: a trace of its own, by choice" }
                    @if let Some(later) = later(later_ms) { " " span.later { (later) } }
                }
                svg.b aria-hidden="true" { (lines.at(place)) }
            }
        },
        _ => html! {},
    }
}

/// The class that indents a row.
fn depth(row: &Row) -> String {
    format!("d{}", row.depth.min(DEPTH))
}

/// A bar, in percent of the axis.
struct Bar {
    from: f64,
    width: f64,
}

impl Bar {
    /// The least that can be seen.
    const LEAST: f64 = 0.4;

    fn of(from: f64, length: f64, axis: &Axis) -> Self {
        let percent = |millis: f64| (100.0 * millis / axis.millis).clamp(0.0, 100.0);
        let from = percent(from).min(100.0 - Self::LEAST);
        Self { from, width: percent(length).clamp(Self::LEAST, 100.0 - from) }
    }

    fn drawn(&self) -> Markup {
        html! { rect x=(percent(self.from)) width=(percent(self.width)) {} }
    }
}

fn percent(value: f64) -> String {
    format!("{}%", (value * 100.0).round() / 100.0)
}

/// The dashed lines that should have been parents, as pieces, one or more a row.
struct Lines(std::collections::BTreeMap<usize, Vec<[String; 4]>>);

impl Lines {
    /// From the end of the publishing span down to the gap, along it, and down to the run.
    fn of(axis: &Axis, rows: &[Row]) -> Self {
        let mut lines = Self(std::collections::BTreeMap::new());
        for (place, row) in rows.iter().enumerate() {
            let (Content::Gap { from, to, .. } | Content::Link { from, to, .. }) = &row.content else {
                continue;
            };
            let end_of = |place: &usize, at_end: bool| match rows.get(*place).map(|row| &row.content) {
                Some(Content::Span { from, length, .. }) => {
                    let bar = Bar::of(*from, *length, axis);
                    Some(if at_end { bar.from + bar.width } else { bar.from })
                }
                _ => None,
            };
            let sent = from.as_ref().and_then(|from| Some((*from, end_of(from, true)?)));
            let ran = to.as_ref().and_then(|to| Some((*to, end_of(to, false)?)));
            let sent_at = sent.map_or(0.0, |(_, at)| at);
            let ran_at = ran.map_or(100.0, |(_, at)| at);
            if let Some((row, at)) = sent.filter(|(row, _)| *row < place && place - row <= LINE) {
                lines.down(row, at, "50%", "100%");
                (row + 1..place).for_each(|between| lines.down(between, at, "0", "100%"));
                lines.down(place, at, "0", "50%");
            }
            lines.along(place, sent_at, ran_at);
            if let Some((row, at)) = ran.filter(|(row, _)| *row > place && row - place <= LINE) {
                lines.down(place, at, "50%", "100%");
                (place + 1..row).for_each(|between| lines.down(between, at, "0", "100%"));
                lines.down(row, at, "0", "50%");
            }
        }
        lines
    }

    fn down(&mut self, row: usize, at: f64, from: &str, to: &str) {
        let at = percent(at);
        self.0.entry(row).or_default().push([at.clone(), at, from.to_owned(), to.to_owned()]);
    }

    fn along(&mut self, row: usize, from: f64, to: f64) {
        let middle = || "50%".to_owned();
        self.0.entry(row).or_default().push([percent(from), percent(to), middle(), middle()]);
    }

    /// Over a whole row that stands above this one.
    fn above(&self, row: usize) -> Markup {
        let from_above =
            self.0.get(&row).into_iter().flatten().filter(|[x1, x2, y1, _]| x1 == x2 && y1 == "0");
        html! { @for [x, ..] in from_above { line x1=(x) x2=(x) y1="0" y2="100%" {} } }
    }

    fn at(&self, row: usize) -> Markup {
        html! {
            @for [x1, x2, y1, y2] in self.0.get(&row).into_iter().flatten() {
                line x1=(x1) x2=(x2) y1=(y1) y2=(y2) {}
            }
        }
    }
}

/// The time at the beginning, in the middle and at the end. The quarters have lines.
fn ticks(axis: &Axis) -> impl Iterator<Item = Markup> {
    const PLACES: [(f64, &str); 3] = [(0.0, "first"), (50.0, "middle"), (100.0, "last")];
    let millis = axis.millis;
    PLACES.into_iter().map(move |(place, class)| {
        html! { text class=(class) x=(percent(place)) y="1em" { (duration(millis * place / 100.0)) } }
    })
}

/// The layout in which a passage is drawn, and what of it is hidden at first.
pub(super) fn layouts(passage: &super::passage::Passage<'_>) -> (Stitched, Folded) {
    let parts = Parts::new(passage.traces, passage.handoffs);
    let layout = |detail| Stitched::of_passage(&parts, detail);
    (layout(Detail::Everything), Folded::of(&layout(Detail::Folded)))
}

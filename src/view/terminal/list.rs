//! The passages, newest first.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::paint::{self, cell, cell_right};
use super::snapshot::Snapshot;
use super::theme::Theme;
use crate::report::text::{count, duration, width};
use crate::view::board::Passage;

/// How the list stands.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'s> {
    /// The place of the chosen one among those that are shown.
    pub chosen: usize,
    pub top: usize,
    pub has_focus: bool,
    pub follows: bool,
    /// What the filter says, if it says anything.
    pub filter: &'s str,
    pub broken_only: bool,
    pub now: Duration,
}

/// The columns: those on the right are left out where there is no room.
struct Columns {
    title: usize,
    services: usize,
    has_age: bool,
}

impl Columns {
    /// The mark, the station or the duration, and the code or the wait.
    const FIXED: usize = 2 + 10 + 10;
    const AGE: usize = 10;
    /// What a title gets before there is a column for the age, or for services.
    const TITLE: usize = 30;
    const SERVICES: usize = 36;
    const LEAST_SERVICES: usize = 20;

    fn of(columns: usize) -> Self {
        let left = columns.saturating_sub(Self::FIXED);
        let has_age = left >= Self::TITLE + Self::AGE;
        let left = left - if has_age { Self::AGE } else { 0 };
        let services = left.saturating_sub(Self::TITLE + 4).min(Self::SERVICES);
        let services = if services < Self::LEAST_SERVICES { 0 } else { services };
        let title = left.saturating_sub(if services > 0 { services + 1 } else { 0 } + 1);
        Self { title, services, has_age }
    }
}

/// Draws the list. Only the rows of the window are looked at.
pub fn draw(seen: &Snapshot, standing: Standing<'_>, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let columns = usize::from(area.width);
    let name = if standing.has_focus { theme.strong() } else { theme.faint() };
    let mut title = vec![Span::styled("hand-offs", name)];
    let all = seen.totals.passages;
    if seen.hidden() > 0 {
        title.push(Span::styled(
            format!(" {} of {}", count(seen.shown.len() as u64), count(all)),
            theme.damaged(),
        ));
    } else if all > 0 {
        title.push(Span::styled(format!(" {}", count(all)), theme.faint()));
    }
    if !standing.filter.is_empty() {
        title.push(Span::styled(format!("  / {}", standing.filter), theme.damaged()));
    }
    if standing.broken_only {
        title.push(Span::styled("  broken only", theme.damaged()));
    }
    if standing.follows {
        title.push(Span::styled("  follows", theme.faint()));
    }
    let let_go = seen.totals.let_go + seen.totals.not_shown;
    if let_go > 0 {
        title.push(Span::styled(format!("  {} more are not kept here", count(let_go)), theme.faint()));
    }
    let hint = "/ filter  b broken only  p pause";
    paint::line(buffer, area, 0, &paint::rule(columns, title, hint, theme.faint()));
    if seen.shown.is_empty() {
        let text = match seen.hidden() {
            0 if seen.totals.spans == 0 => "waiting for spans",
            0 => "spans have come; a hand-off is shown when it is whole, or when it has settled",
            _ => "the filter takes none of them: Esc clears it",
        };
        paint::line(buffer, area, 1, &Line::styled(format!("  {text}"), theme.faint()));
        return;
    }
    let layout = Columns::of(columns);
    let rows = usize::from(area.height).saturating_sub(1);
    let window = seen.shown.iter().enumerate().skip(standing.top).take(rows);
    for (row, (place, passage)) in window.enumerate() {
        let line = of_passage(passage, &layout, standing.now, theme);
        paint::line(buffer, area, row + 1, &line);
        if place == standing.chosen {
            paint::tint(buffer, area, row + 1, theme.chosen(standing.has_focus));
        }
    }
}

fn of_passage(passage: &Passage, layout: &Columns, now: Duration, theme: Theme) -> Line<'static> {
    let health = theme.by_health(passage.health);
    let state = match passage.station {
        Some(station) => Span::styled(format!("{:>9} ", station.label()), theme.broken()),
        None => {
            let time = passage.duration_ms.map(duration).unwrap_or_default();
            cell_right(&time, 9, theme.strong())
        }
    };
    let code = match passage.code {
        Some(code) => Span::styled(format!("{code:>9} "), health),
        None => {
            let wait = passage.queue_wait_ms.filter(|wait| *wait >= 0.0).map(duration);
            cell_right(&wait.unwrap_or_default(), 9, theme.faint())
        }
    };
    let mut spans = vec![
        Span::styled(format!("{} ", passage.health.mark()), health),
        cell(&passage.title, layout.title, if passage.is_loud() { theme.strong() } else { Style::new() }),
        state,
        code,
    ];
    if layout.has_age {
        spans.push(cell_right(&age(now.saturating_sub(passage.first)), 9, theme.faint()));
    }
    if layout.services > 0 {
        let services = passage.services.join(" → ");
        spans.push(cell(&services, layout.services, theme.faint()));
    }
    Line::from(spans)
}

/// `2 s ago`, in whole seconds.
fn age(age: Duration) -> String {
    match age.as_secs() {
        0 => "now".to_owned(),
        #[allow(clippy::cast_precision_loss, reason = "an age in seconds")]
        seconds => {
            let text = duration(seconds as f64 * 1_000.0);
            let short = format!("{text} ago");
            if width(&short) <= 9 { short } else { text }
        }
    }
}

//! The first line: where it listens, and how much came.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::paint;
use super::snapshot::Snapshot;
use super::theme::Theme;
use crate::report::text::{count, plural, safe, width};

/// Where it listens, in raw words: `grpc 127.0.0.1:4317`, a broker's URL without its
/// password.
#[derive(Clone, Default, Debug)]
pub struct About {
    pub places: Vec<String>,
}

/// Draws it. The figures come first: places are left out where there is no room.
pub fn draw(about: &About, seen: &Snapshot, is_paused: bool, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let totals = &seen.totals;
    let mut figures = vec![Span::raw(plural(totals.traces, "trace"))];
    if totals.spans_per_second >= 1.0 {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate, not below 0")]
        let rate = totals.spans_per_second.round() as u64;
        figures.push(Span::raw(format!("{} spans/s", count(rate))));
    }
    if totals.broken > 0 {
        figures.push(Span::styled(format!("{} broken", count(totals.broken)), theme.broken()));
    }
    let ready: u64 = seen.queues.iter().map(|queue| queue.now.ready).sum();
    if !seen.queues.is_empty() {
        figures.push(Span::raw(format!("{} in the queue", count(ready))));
    }
    if seen.limits.evicted_traces + seen.limits.evicted_spans > 0 {
        figures.push(Span::styled("the memory is full: the oldest go", theme.damaged()));
    }
    if is_paused {
        figures.push(Span::styled("paused", theme.damaged()));
    }
    let figures_take: usize = figures.iter().map(|figure| width(&figure.content) + 2).sum();
    let columns = usize::from(area.width);
    let mut spans = vec![Span::styled("tracelink", theme.strong())];
    let mut room = columns.saturating_sub(figures_take + width("tracelink") + 2);
    let mut places = String::new();
    for place in &about.places {
        let place = format!("  {}", safe(place));
        if width(&place) > room {
            break;
        }
        room -= width(&place);
        places.push_str(&place);
    }
    let gap = columns.saturating_sub(figures_take + width("tracelink") + width(&places));
    spans.push(Span::styled(places, theme.faint()));
    spans.push(Span::raw(" ".repeat(gap)));
    for figure in figures {
        spans.push(Span::raw("  "));
        spans.push(figure);
    }
    paint::line(buffer, area, 0, &Line::from(spans));
}

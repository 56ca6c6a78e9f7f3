//! The keys, over everything else.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Widget};

use super::keys::HELP;
use super::paint;
use super::theme::Theme;
use crate::report::text::width;

/// The marks of the list, with what they say.
const MARKS: &str = "✓ whole   … waits   ? unproven   ! damaged   ✗ broken";

/// Draws it in the middle, as much as there is room for.
pub fn draw(theme: Theme, window: Rect, buffer: &mut Buffer) {
    let keys = HELP.iter().map(|(key, _)| width(key)).max().unwrap_or_default();
    let what = HELP.iter().map(|(_, what)| width(what)).max().unwrap_or_default();
    let columns = u16::try_from(keys + what + 6).unwrap_or(u16::MAX).min(window.width);
    let rows = u16::try_from(HELP.len() + 4).unwrap_or(u16::MAX).min(window.height);
    let area = Rect {
        x: window.x + (window.width - columns) / 2,
        y: window.y + (window.height - rows) / 2,
        width: columns,
        height: rows,
    };
    Clear.render(area, buffer);
    let title = vec![Span::styled("keys", theme.strong())];
    let all = usize::from(columns);
    paint::line(buffer, area, 0, &paint::rule(all, title, "any key goes back", theme.faint()));
    for (at, (key, what)) in HELP.iter().enumerate() {
        let missing = keys.saturating_sub(width(key));
        let key = Span::styled(format!("  {key}{}  ", " ".repeat(missing)), theme.key());
        paint::line(buffer, area, at + 1, &Line::from(vec![key, Span::raw(*what)]));
    }
    paint::line(buffer, area, HELP.len() + 2, &Line::styled(format!("  {MARKS}"), theme.faint()));
    let bottom = usize::from(rows).saturating_sub(1);
    paint::line(buffer, area, bottom, &Line::styled("─".repeat(all), theme.faint()));
}

//! Lines of text in a frame.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::report::text::{fit, pad, width};

/// The row of an area at this height, if it has one.
pub fn row(area: Rect, at: usize) -> Option<Rect> {
    let at = u16::try_from(at).ok().filter(|at| *at < area.height)?;
    Some(Rect { y: area.y + at, height: 1, ..area })
}

/// Writes a line on a row, as much as there is room for.
pub fn line(buffer: &mut Buffer, area: Rect, at: usize, line: &Line<'_>) {
    if let Some(row) = row(area, at) {
        buffer.set_line(row.x, row.y, line, row.width);
    }
}

/// Gives a whole row a style, besides those of its texts.
pub fn tint(buffer: &mut Buffer, area: Rect, at: usize, style: Style) {
    if let Some(row) = row(area, at) {
        buffer.set_style(row, style);
    }
}

/// A rule over a pane, with its title on the left and a hint on the right where there is
/// room for it.
pub fn rule<'t>(columns: usize, title: Vec<Span<'t>>, hint: &'t str, style: Style) -> Line<'t> {
    let taken: usize = title.iter().map(|span| width(&span.content)).sum();
    let mut spans = vec![Span::styled("─ ", style)];
    spans.extend(title);
    let left = columns.saturating_sub(taken + 2);
    let hint_takes = width(hint) + 2;
    if !hint.is_empty() && left > hint_takes + 2 {
        spans.push(Span::styled(format!(" {} ", "─".repeat(left - hint_takes - 1)), style));
        spans.push(Span::styled(hint, style));
    } else if left > 1 {
        spans.push(Span::styled(format!(" {}", "─".repeat(left - 1)), style));
    }
    Line::from(spans)
}

/// A safe text in a column of this width, cut or padded, with a space after it.
pub fn cell(text: &str, columns: usize, style: Style) -> Span<'static> {
    Span::styled(format!("{} ", pad(text, columns)), style)
}

/// The same, on the right of its column.
pub fn cell_right(text: &str, columns: usize, style: Style) -> Span<'static> {
    let text = fit(text, columns);
    let missing = columns.saturating_sub(width(&text));
    Span::styled(format!("{}{text} ", " ".repeat(missing)), style)
}

/// Where a window of `rows` begins in a list, so that it shows what is chosen: as near as
/// possible to where it began before.
pub fn window(top: usize, chosen: usize, rows: usize, all: usize) -> usize {
    let rows = rows.max(1);
    let top = top.min(all.saturating_sub(rows));
    if chosen < top {
        chosen
    } else if chosen >= top + rows {
        chosen + 1 - rows
    } else {
        top
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_follows_what_is_chosen() {
        assert_eq!(window(0, 0, 5, 3), 0);
        assert_eq!(window(7, 2, 5, 20), 2);
        assert_eq!(window(0, 9, 5, 20), 5);
        assert_eq!(window(3, 5, 5, 20), 3);
        // After the window grew there is no empty room below.
        assert_eq!(window(15, 19, 10, 20), 10);
        assert_eq!(window(0, 0, 0, 0), 0);
    }
}

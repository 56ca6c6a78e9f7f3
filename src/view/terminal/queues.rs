//! The queues of the brokers that are watched.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::paint::{self, cell, cell_right};
use super::theme::Theme;
use crate::report::text::{count, duration, safe, width};
use crate::view::board::QueueFigures;

/// Draws them: as many as there is room for, the deepest first, with how deep each was.
pub fn draw(queues: &[QueueFigures], has_focus: bool, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let columns = usize::from(area.width);
    let title = vec![Span::styled("queues", if has_focus { theme.strong() } else { theme.faint() })];
    paint::line(
        buffer,
        area,
        0,
        &paint::rule(columns, title, "depth of the last two minutes", theme.faint()),
    );
    if queues.is_empty() {
        let none = "nothing waits in a queue, and no look at a broker has shown one";
        paint::line(buffer, area, 1, &Line::styled(format!("  {none}"), theme.faint()));
    }
    let name = queues.iter().map(|queue| width(&safe(&queue.now.name))).max().unwrap_or_default();
    let name = name.clamp(8, (columns / 4).max(8));
    for (at, queue) in queues.iter().enumerate().take(usize::from(area.height).saturating_sub(1)) {
        let now = &queue.now;
        let ready = if now.ready > 0 { theme.strong() } else { theme.faint() };
        let mut spans = vec![
            Span::raw("  "),
            cell(&safe(&now.name), name, theme.strong()),
            cell_right(&count(now.ready), 9, ready),
            Span::styled("ready ", theme.faint()),
        ];
        let oldest = now
            .oldest
            .filter(|_| now.ready > 0)
            .map(|oldest| format!("oldest seen for {} ", duration(oldest.as_secs_f64() * 1_000.0)));
        let workers = match now.workers {
            None => "workers cannot be seen ".to_owned(),
            Some(1) => "1 worker ".to_owned(),
            Some(workers) => format!("{} workers ", count(workers)),
        };
        let no_worker = now.workers == Some(0);
        let more = [
            (format!("{} held ", count(now.held)), theme.faint()),
            (workers, if no_worker { theme.damaged() } else { theme.faint() }),
            (oldest.unwrap_or_default(), theme.faint()),
        ];
        for (text, style) in more {
            let taken: usize = spans.iter().map(|span| width(&span.content)).sum();
            if taken + width(&text) <= columns {
                spans.push(Span::styled(text, style));
            }
        }
        let taken: usize = spans.iter().map(|span| width(&span.content)).sum();
        spans.push(Span::styled(spark_line(queue, columns.saturating_sub(taken + 1)), theme.key()));
        paint::line(buffer, area, at + 1, &Line::from(spans));
    }
}

/// How deep it was, in eight heights, the newest on the right.
fn spark_line(queue: &QueueFigures, columns: usize) -> String {
    const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = queue.history.iter().copied().max().unwrap_or_default().max(1);
    let skipped = queue.history.len().saturating_sub(columns);
    let height = |depth: u64| {
        let place = (u128::from(depth) * 7).div_ceil(u128::from(most));
        HEIGHTS[usize::try_from(place).unwrap_or(7).min(7)]
    };
    queue.history.iter().skip(skipped).map(|depth| height(*depth)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spark_line_rises_with_the_depth() {
        let history = [0, 1, 4, 8, 8, 2].into();
        let queue = QueueFigures { history, ..QueueFigures::default() };
        assert_eq!(spark_line(&queue, 80), "▁▂▅██▃");
        assert_eq!(spark_line(&queue, 2), "█▃");
        assert_eq!(spark_line(&QueueFigures::default(), 80), "");
    }
}

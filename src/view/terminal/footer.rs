//! The last line: what was just done, what happened, what is typed, or which keys there are.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::layout::Pane;
use super::paint;
use super::theme::Theme;
use crate::report::text::{fit, safe, width};

/// What the last line is about.
#[derive(Clone, Copy, Debug)]
pub enum Footer<'f> {
    /// A filter is typed.
    Typing(&'f str),
    /// Something was done, or happened: raw text, of which the first line is shown.
    Said { text: &'f str, is_warning: bool },
    /// The keys of a pane.
    Keys(Pane),
}

pub fn draw(footer: Footer<'_>, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let columns = usize::from(area.width);
    let line = match footer {
        Footer::Typing(typed) => typing(typed, columns, theme),
        Footer::Said { text, is_warning } => {
            let style = if is_warning { theme.damaged() } else { theme.intact() };
            let first = text.lines().next().unwrap_or_default();
            Line::styled(format!(" {}", fit(&safe(first), columns.saturating_sub(1))), style)
        }
        Footer::Keys(pane) => keys(pane, columns, theme),
    };
    paint::line(buffer, area, 0, &line);
}

fn typing(typed: &str, columns: usize, theme: Theme) -> Line<'static> {
    const HELP: &str = "  words  service:NAME  task:NAME   ⏎ keeps  Esc clears";
    let typed = safe(typed);
    let mut spans = vec![
        Span::styled(" / ", theme.damaged()),
        Span::raw(typed.clone()),
        Span::styled("▏", theme.strong()),
    ];
    if width(&typed) + width(HELP) + 4 <= columns {
        spans.push(Span::styled(HELP, theme.faint()));
    }
    Line::from(spans)
}

/// As many keys as there is room for, those that matter most first.
fn keys(pane: Pane, columns: usize, theme: Theme) -> Line<'static> {
    let of_pane: &[(&str, &str)] = match pane {
        Pane::List => &[("↑↓", "choose"), ("⏎", "open")],
        Pane::Tree => &[("↑↓", "choose"), ("␣", "fold"), ("a", "attributes")],
        Pane::Detail | Pane::Queues => &[("↑↓", "move")],
    };
    let everywhere =
        [("?", "help"), ("q", "quit"), ("y", "copy the fix"), ("/", "filter"), ("Tab", "next pane")];
    let mut spans = vec![Span::raw(" ")];
    let mut taken = 1;
    for (key, what) in of_pane.iter().copied().chain(everywhere) {
        let takes = width(key) + 1 + width(what) + 2;
        if taken + takes > columns {
            break;
        }
        taken += takes;
        spans.push(Span::styled(key.to_owned(), theme.key()));
        spans.push(Span::styled(format!(" {what}  "), theme.faint()));
    }
    Line::from(spans)
}

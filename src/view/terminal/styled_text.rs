//! What `report/human` writes, as lines of a frame: it styles text with the few sequences
//! of `report/human/style.rs`, and text from outside has none by then.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

/// The lines of a text with styles; without colour only their weight stays.
pub fn lines(text: &str, has_colour: bool) -> Vec<Line<'static>> {
    let mut style = Style::new();
    text.lines()
        .map(|line| {
            let mut spans = Vec::new();
            let mut pieces = line.split('\u{1b}');
            let first = pieces.next().unwrap_or_default();
            spans.push(Span::styled(first.to_owned(), style));
            for piece in pieces {
                let Some((sequence, text)) = piece.split_once('m') else { continue };
                style = apply(style, sequence.trim_start_matches('['), has_colour);
                if !text.is_empty() {
                    spans.push(Span::styled(text.to_owned(), style));
                }
            }
            Line::from(spans)
        })
        .collect()
}

/// A style after a sequence: `1;31` or `0`.
fn apply(style: Style, sequence: &str, has_colour: bool) -> Style {
    sequence.split(';').fold(style, |style, code| {
        let colour = match code {
            "1" => return style.add_modifier(Modifier::BOLD),
            "2" => return style.add_modifier(Modifier::DIM),
            "31" => Color::Red,
            "32" => Color::Green,
            "33" => Color::Yellow,
            "36" => Color::Cyan,
            _ => return Style::new(),
        };
        if has_colour { style.fg(colour) } else { style }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_become_styles_and_nothing_else_is_left() {
        let lines = lines("\u{1b}[1m\u{1b}[31merror\u{1b}[0m: why\n\u{1b}[2mfaint\u{1b}[0m", true);
        let spans: Vec<_> =
            lines.iter().flat_map(|line| &line.spans).filter(|span| !span.content.is_empty()).collect();
        let red = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
        assert_eq!((spans[0].content.as_ref(), spans[0].style), ("error", red));
        assert_eq!((spans[1].content.as_ref(), spans[1].style), (": why", Style::new()));
        assert_eq!(spans[2].style, Style::new().add_modifier(Modifier::DIM));
    }
}

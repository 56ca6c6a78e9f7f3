//! The report as a document of the schema `tracelink/1`, made safe to display.

use std::io::{self, Write};

use serde::Serialize;

use super::text::acts_on_a_terminal;
use crate::model::{Report, SCHEMA};

#[derive(Serialize)]
struct Tool {
    version: &'static str,
}

const TOOL: Tool = Tool { version: env!("CARGO_PKG_VERSION") };

/// What `json` writes, and `jsonl` last.
#[derive(Serialize)]
pub struct Document<'r> {
    schema: &'static str,
    tool: Tool,
    #[serde(flatten)]
    report: &'r Report,
}

impl<'r> From<&'r Report> for Document<'r> {
    fn from(report: &'r Report) -> Self {
        Self { schema: SCHEMA, tool: TOOL, report }
    }
}

/// Writes anything that could act on a terminal as JSON's `\uXXXX`, since people display
/// documents too. JSON itself only escapes the control characters of ASCII, not those of
/// ISO 6429 (C1), nor those that change the direction of text.
///
/// Outside of strings a document contains none of them, and every piece to be written
/// consists of whole characters.
pub struct TerminalSafe<'w>(pub &'w mut dyn Write);

impl Write for TerminalSafe<'_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        const DELETE: u8 = 0x7f;
        let is_plain = piece.is_ascii() && memchr::memchr(DELETE, piece).is_none();
        match std::str::from_utf8(piece) {
            Ok(text) if !is_plain => self.text(text)?,
            _ => self.0.write_all(piece)?,
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl TerminalSafe<'_> {
    fn text(&mut self, text: &str) -> io::Result<()> {
        let mut written = 0;
        for (at, letter) in text.char_indices() {
            // Line breaks stand between the tokens of a document.
            if letter == '\n' || !acts_on_a_terminal(letter) {
                continue;
            }
            self.0.write_all(&text.as_bytes()[written..at])?;
            for unit in letter.encode_utf16(&mut [0; 2]) {
                write!(self.0, "\\u{unit:04x}")?;
            }
            written = at + letter.len_utf8();
        }
        self.0.write_all(&text.as_bytes()[written..])
    }
}

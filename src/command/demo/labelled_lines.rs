//! Lines with a label each, the labels in a column.

use std::io::{self, Write};

use crate::report::human::Stylize;
use crate::report::text::{pad, wrap};

/// How wide the column of labels is.
pub const LABEL: usize = 9;

/// Writes a text under a label, and wraps it at the terminal's width.
pub fn line(label: &str, text: &str, width: usize, out: &mut dyn Write) -> io::Result<()> {
    indented(0, label, text, width, out)
}

/// The same, indented by this many columns.
pub fn indented(
    columns: usize,
    label: &str,
    text: &str,
    width: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let indent = " ".repeat(columns);
    for (number, text) in wrap(text, width.saturating_sub(columns + LABEL)).iter().enumerate() {
        let label = if number == 0 { label } else { "" };
        writeln!(out, "{indent}{}{text}", pad(label, LABEL).faint())?;
    }
    Ok(())
}

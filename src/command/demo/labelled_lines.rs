//! Lines that are told under a name each, with the names in a column.

use std::io::{self, Write};

use crate::report::human::Stylize;
use crate::report::text::{pad, wrap};

/// How wide the column of the names is.
pub const LABEL: usize = 9;

/// Writes what there is to say under a name. What is longer than the terminal
/// is wide goes on below.
pub fn line(label: &str, text: &str, width: usize, out: &mut dyn Write) -> io::Result<()> {
    indented(0, label, text, width, out)
}

/// The same, so many columns to the right.
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

//! One golden [`Report`], many formats. An exporter turns it into text and
//! prints nothing: where it goes is the caller's affair.

pub mod explanation;
pub mod human;
pub mod json;
pub mod text;

use std::io::{self, Write};

use crate::model::Report;

/// The formats of a report.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Format {
    #[default]
    Human,
    Json,
    Jsonl,
}

/// What a report is about, which decides what a person is shown first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subject {
    /// A queue: its messages.
    Queue,
    /// Hand-offs: their trees.
    Handoffs,
}

/// Writes the report in the format that was asked for.
///
/// # Errors
///
/// What the writer says.
pub fn write(
    report: &Report,
    format: Format,
    subject: Subject,
    view: &human::View,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        Format::Human => match subject {
            Subject::Queue => human::inspection(report, view, out),
            Subject::Handoffs => human::diagnosis(report, view, out),
        },
        Format::Json => json::write(report, out),
        Format::Jsonl => json::write_events(report, out),
    }
}

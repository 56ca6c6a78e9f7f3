//! `json`: the report as one document.

use std::io::{self, Write};

use super::format::{Form, Format, Subject, View};
use super::json_document::{Document, TerminalSafe};
use crate::model::Report;

/// Writes one document, schema `tracelink/1`.
#[derive(Default)]
pub struct Json;

impl Format for Json {
    fn media_type(&self) -> &'static str {
        "application/json"
    }

    fn form(&self) -> Option<Form> {
        Some(Form::Document)
    }

    fn report(&mut self, report: &Report, _: Subject, _: &View, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(TerminalSafe(&mut *out), &Document::from(report))?;
        writeln!(out)
    }
}

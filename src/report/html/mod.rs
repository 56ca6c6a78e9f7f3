//! `html`: the report as one page that opens from a disk and goes into a ticket.
//!
//! Everything that it needs is inside, and its policy allows it no connection. The live
//! server (`view/`) serves the same pieces, which [`live`] hands out, with the style sheet
//! and the script of [`assets`] as files of their own. All of it is drawn here: the script
//! only shows, hides and moves.

mod colours;
mod detail;
mod file;
mod finding;
mod fix;
mod groups;
mod map;
mod names;
mod passage;
mod queues;
mod rows;
mod shell;
mod summary;

pub mod assets;
pub mod live;

use std::io::{self, Write};

use super::format::{Format, Subject, View};
use crate::model::Report;

pub use groups::groups;
pub use map::Map;
pub use passage::{Passage, When};
pub use queues::QueueRow;

/// Writes the self-contained page.
#[derive(Default)]
pub struct Html;

impl Format for Html {
    fn media_type(&self) -> &'static str {
        "text/html; charset=utf-8"
    }

    fn report(
        &mut self,
        report: &Report,
        subject: Subject,
        view: &View,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        out.write_all(file::page(report, subject, view).as_bytes())
    }
}

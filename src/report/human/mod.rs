//! For people.
use crate::model::Report;
use std::io::{self, Write};
/// How it is shown.
#[derive(Clone, Debug)]
pub struct View {
    pub width: usize,
    pub color: bool,
    pub verbose: bool,
    pub quiet: bool,
    pub broker: Option<String>,
    pub exit_code: u8,
}
pub fn inspection(_report: &Report, _view: &View, _out: &mut dyn Write) -> io::Result<()> {
    Ok(())
}
pub fn diagnosis(_report: &Report, _view: &View, _out: &mut dyn Write) -> io::Result<()> {
    Ok(())
}

//! `tracelink man`.

use std::path::PathBuf;

use clap::Args;

/// Print a page of the manual, or write all pages to a folder
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  tracelink man | man -l -                                  the page of the whole
  tracelink man listen | man -l -                           the page of a command
  tracelink man --dir ~/.local/share/man/man1               all pages, for `man tracelink-listen`")]
pub struct Man {
    /// The command to print the page of; without one, of the whole
    #[arg(value_name = "COMMAND", conflicts_with = "dir")]
    pub page: Option<String>,
    /// Write one page for the whole and one for each command to this folder
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

//! Messages on standard error.

use std::io::Write;

use crate::bundle::{Place, Skipped};
use crate::cli::Output;
use crate::live;
use crate::report::text::{safe, safe_lines};

/// Writes to standard error. Names of files, keys and hosts come from outside, so the text
/// is made safe for a terminal here. If the pipe is closed, the message is dropped.
pub fn say(text: &str) {
    let _ = writeln!(anstream::stderr(), "{}", safe_lines(text));
}

/// Prints the notices of a session on standard error.
#[derive(Debug)]
pub struct SaidAloud;

impl live::SessionNotices for SaidAloud {
    fn notice(&self, notice: &live::SessionNotice) {
        say(&format!("tracelink: {notice}"));
    }
}

/// Prints what was skipped, and where.
pub fn tell_skipped(skipped: &[Skipped], output: &Output) {
    const SHOWN: usize = 10;
    let told: Vec<_> = skipped.iter().filter(|skipped| output.verbose || !skipped.is_expected).collect();
    let shown = if output.verbose { told.len() } else { SHOWN.min(told.len()) };
    told[..shown].iter().for_each(|skipped| say(&format!("tracelink: {}", in_words(skipped))));
    if shown < told.len() {
        say(&format!("tracelink: … and {} more (--verbose)", told.len() - shown));
    }
}

/// What was skipped, and where, in a line that is safe for a terminal.
pub fn in_words(Skipped { path, place, what, .. }: &Skipped) -> String {
    let place = match place {
        // As compilers write it, so that editors find the way.
        Some(Place::Line(number)) => format!(":{number}"),
        Some(Place::Byte(at)) => format!(": byte {at}"),
        None => String::new(),
    };
    format!("{}{place}: {}", safe(&path.to_string_lossy()), safe(what))
}

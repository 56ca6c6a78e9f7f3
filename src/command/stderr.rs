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
    for Skipped { path, place, what, .. } in &told[..shown] {
        let place = match place {
            // As compilers write it, so that editors find the way.
            Some(Place::Line(number)) => format!(":{number}"),
            Some(Place::Byte(at)) => format!(": byte {at}"),
            None => String::new(),
        };
        let path = safe(&path.to_string_lossy());
        say(&format!("tracelink: {path}{place}: {}", safe(what)));
    }
    if shown < told.len() {
        say(&format!("tracelink: … and {} more (--verbose)", told.len() - shown));
    }
}

//! Files of spans in JSON: requests, a line each or documents of any length and layout; and
//! what backends hand out. Whatever is long is read a part at a time.

use std::io::{self, BufRead, Read};

use super::lines::{self, Line, said};
use super::place::Place;
use super::skipped::SkippedIn;
use super::store::{Store, StoreSink};
use super::text::Text;
use crate::wire::otlp::{Counts, DecodeError, decode_json_documents, decode_json_stream};

/// The longest line that is parsed as it stands, in bytes. A longer one is read span by
/// span, which takes longer. No exporter's batch comes near it.
pub const HELD: usize = 8 << 20;

/// How the first key of a request is called, by itself or as a backend wraps it.
const FIRST_KEYS: [&[u8]; 5] =
    [b"\"resourceSpans\"", b"\"resource_spans\"", b"\"batches\"", b"\"trace\"", b"\"result\""];

/// Reads requests. Of a span, a resource or whatever else stands there, `most` bytes are
/// held.
pub fn read_requests(
    file: &mut dyn BufRead,
    most: usize,
    mut intake: StoreSink<'_>,
    skipped: &mut SkippedIn<'_>,
) -> io::Result<()> {
    let mut text = Text::new(file);
    let held = HELD.min(most / 4).max(1);
    let mut line = Vec::new();
    loop {
        let number = text.line();
        let at = match lines::begin(&mut text, &mut line, held)? {
            Line::End => return Ok(()),
            Line::TooLong => Some(0),
            Line::Whole => read_line(&line, number, &mut text, &mut intake, skipped)?,
        };
        if let Some(at) = at {
            let start = Start { line: &line, at, number };
            read_stream(start, most - held, &mut text, &mut intake, skipped)?;
        }
    }
}

/// Reads a line that is held. Returns the byte at which a document begins that is to be
/// read as a stream: it goes on behind the line, or is a list.
fn read_line(
    line: &[u8],
    number: usize,
    text: &mut Text<'_>,
    intake: &mut StoreSink<'_>,
    skipped: &mut SkippedIn<'_>,
) -> io::Result<Option<usize>> {
    if line.trim_ascii_start().starts_with(b"[") {
        return Ok(Some(0));
    }
    let requests = line.trim_ascii_end();
    // So ends each line of a list of which an earlier line was broken.
    let requests = requests.strip_suffix(b",").unwrap_or(requests);
    let broken = match decode_json_documents(requests, intake, StoreSink::next_request) {
        Ok(counts) => {
            skipped.took(Place::Line(number), counts);
            return Ok(None);
        }
        Err(broken) => broken,
    };
    let breaks_off = matches!(&broken.error, DecodeError::Json(error) if error.is_eof());
    if breaks_off && goes_on(text.fill_buf()?) {
        return Ok(Some(broken.at));
    }
    // The line number of the error is always 1.
    skipped.line(number, broken.error.to_string().replace("at line 1 column", "at column"));
    Ok(None)
}

/// Whether what follows a line that broke off belongs to it. A line that was cut is followed
/// by another request.
fn goes_on(ahead: &[u8]) -> bool {
    let first_key = ahead.strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
    let is_request = first_key.is_some_and(|key| FIRST_KEYS.iter().any(|first| key.starts_with(first)));
    !ahead.is_empty() && !is_request
}

/// The line in which a stream begins, as far as it was read.
struct Start<'l> {
    line: &'l [u8],
    at: usize,
    number: usize,
}

/// Reads the documents that begin in a line, and go on as long as they like.
fn read_stream(
    Start { line, at, number }: Start<'_>,
    most: usize,
    text: &mut Text<'_>,
    intake: &mut StoreSink<'_>,
    skipped: &mut SkippedIn<'_>,
) -> io::Result<()> {
    let mut rest = &line[at..];
    loop {
        let begun = At { line: number, column: line.len() - rest.len() };
        let reader = (&mut rest).chain(&mut *text);
        let decoded = decode_json_stream(reader, most, intake, StoreSink::next_request);
        match decoded {
            Ok(counts) => skipped.took(Place::Line(begun.line), counts),
            Err(error) => {
                let now = match rest {
                    [] => At::of(text),
                    rest => At { line: number, column: line.len() - rest.len() },
                };
                if !tell(error, begun, now, most, skipped)? {
                    return text.skip_to_a_document();
                }
            }
        }
        if rest.trim_ascii().is_empty() {
            return Ok(());
        }
    }
}

/// Reads the documents of a backend, one after the other. `decode` reads one.
pub fn read_documents(
    file: &mut dyn BufRead,
    most: usize,
    store: &mut dyn Store,
    skipped: &mut SkippedIn<'_>,
    mut decode: impl FnMut(&mut Text<'_>, &mut StoreSink<'_>) -> Result<Counts, DecodeError>,
) -> io::Result<()> {
    let mut text = Text::new(file);
    let mut intake = StoreSink::new(store);
    while text.has_more()? {
        let begun = At::of(&text);
        if let Err(error) = decode(&mut text, &mut intake) {
            tell(error, begun, At::of(&text), most, skipped)?;
            text.skip_to_a_document()?;
        }
    }
    Ok(())
}

/// A place in a file: a line, counted from 1, and how many bytes of it were read.
#[derive(Clone, Copy)]
struct At {
    line: usize,
    column: usize,
}

impl At {
    const fn of(text: &Text<'_>) -> Self {
        Self { line: text.line(), column: text.column() }
    }

    /// Where an error is in a document that begins here. A parser reads a little further
    /// before it returns.
    fn of_error(self, error: &serde_json::Error) -> Self {
        let before = if error.line() > 1 { 0 } else { self.column };
        Self { line: self.line + error.line().saturating_sub(1), column: before + error.column() }
    }
}

/// Says what is wrong with a document, and where; whether the whole of it was read all the
/// same. `now` is how far the file was read.
fn tell(
    error: DecodeError,
    begun: At,
    now: At,
    most: usize,
    skipped: &mut SkippedIn<'_>,
) -> io::Result<bool> {
    let (what, at) = match error {
        error if error.is_of_whole_text() => {
            skipped.line(begun.line, error.to_string());
            return Ok(true);
        }
        DecodeError::Json(error) if error.is_io() => return Err(error.into()),
        DecodeError::TooLong => {
            (format!("a part longer than {}, which is the most that is held at once,", said(most)), now)
        }
        DecodeError::Json(ref json) if json.line() > 0 => (error.without_place(), begun.of_error(json)),
        error => (error.without_place(), now),
    };
    let of = if begun.line == at.line {
        String::new()
    } else {
        format!(" of a document that begins in line {}", begun.line)
    };
    let column = at.column;
    skipped.line(at.line, format!("{what} at column {column}{of}: the rest of the document was skipped"));
    Ok(false)
}

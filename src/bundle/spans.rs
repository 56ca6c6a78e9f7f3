//! Files of OTLP: protobuf, documents of JSON, and JSON lines.

use std::hash::BuildHasher;
use std::io::{self, BufRead, Cursor, Read, Write};

use super::framed;
use super::lines::{self, Line};
use super::skipped::SkippedIn;
use super::store::{Store, StoreSink};
use crate::wire::otlp::{
    Counts, DecodeError, Redacted, decode_json, decode_json_documents, decode_protobuf, transcode,
};
use bytes::Bytes;

/// The body of an export request, for writing as a line.
#[derive(Clone, Debug)]
pub enum Export {
    Protobuf(Bytes),
    Json(Bytes),
}

impl Export {
    /// How many bytes it has.
    pub fn bytes(&self) -> usize {
        let (Self::Protobuf(body) | Self::Json(body)) = self;
        body.len()
    }

    /// Writes it as one line of OTLP/JSON while it is read, so that memory does not grow
    /// with it.
    ///
    /// # Errors
    ///
    /// What the writer says.
    pub fn write(&self, parts: SavedParts, key: &impl BuildHasher, out: &mut dyn Write) -> io::Result<()> {
        match (parts, self) {
            (SavedParts::WhatIsRead, _) => {
                let mut redacted = Redacted::new(out, key);
                // If a request breaks off, what comes before the break was taken.
                let _ = match self {
                    Self::Protobuf(body) => decode_protobuf(body, &mut redacted),
                    Self::Json(body) => decode_json(body, &mut redacted),
                };
                redacted.finish()
            }
            (SavedParts::All, Self::Protobuf(body)) => transcode(body, out),
            (SavedParts::All, Self::Json(body)) => {
                // Line breaks inside strings are escaped in JSON, so real ones are only
                // between tokens.
                let mut parts = body.split(|byte| matches!(byte, b'\n' | b'\r'));
                parts.try_for_each(|part| out.write_all(part))?;
                out.write_all(b"\n")
            }
        }
    }
}

/// How much of spans is saved.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum SavedParts {
    /// What diagnoses read.
    #[default]
    WhatIsRead,
    /// All attributes, events and messages.
    All,
}

/// Reads one request in protobuf, which is the whole file.
pub fn read_protobuf(
    file: &mut impl BufRead,
    most: usize,
    store: &mut dyn Store,
    skipped: &mut SkippedIn<'_>,
) -> io::Result<()> {
    read_document(|body, intake| decode_protobuf(body, intake), file, most, store, skipped)
}

/// Reads requests that are each preceded by their length.
pub fn read_framed(
    file: &mut impl BufRead,
    most: usize,
    store: &mut dyn Store,
    skipped: &mut SkippedIn<'_>,
) -> io::Result<()> {
    framed::read(file, &mut StoreSink::new(store), &mut StoreSink::next_request, most, skipped)
}

/// Reads one document that has to be held as a whole: a backend's answer.
pub fn read_document(
    decode: impl FnOnce(&[u8], &mut StoreSink<'_>) -> Result<Counts, DecodeError>,
    file: &mut impl BufRead,
    most: usize,
    store: &mut dyn Store,
    skipped: &mut SkippedIn<'_>,
) -> io::Result<()> {
    let mut text = Vec::new();
    let is_all = lines::rest(file, &mut text, most)?;
    let mut intake = StoreSink::new(store);
    intake.next_request();
    let decoded = decode(&text, &mut intake);
    if !is_all {
        skipped.file(lines::too_large(most));
    } else if let Err(error) = decoded {
        skipped.file(error.to_string());
    }
    Ok(())
}

/// Reads requests in JSON: one on each line, or documents of any shape one after the other.
pub fn read_json(
    file: &mut impl BufRead,
    most: usize,
    store: &mut dyn Store,
    skipped: &mut SkippedIn<'_>,
) -> io::Result<()> {
    let mut intake = StoreSink::new(store);
    let mut start = Vec::new();
    let mut line = Vec::new();
    // The part up to the first line with content decides.
    loop {
        match lines::next(file, &mut line, most)? {
            Line::Whole => start.extend_from_slice(&line),
            Line::TooLong => {
                // A file of lines like it, or a document of one line: then this was all.
                let before = memchr::memchr_iter(b'\n', &start).count();
                skipped.line(before + 1, lines::too_long(most));
                let before = Cursor::new(vec![b'\n'; before + 1]);
                return read_lines(before.chain(file), most, &mut intake, skipped);
            }
            Line::End => break,
        }
        if !line.trim_ascii().is_empty() {
            break;
        }
    }
    if is_json(&line) {
        return read_lines(Cursor::new(start).chain(file), most, &mut intake, skipped);
    }
    drop(line);
    let is_all = lines::rest(file, &mut start, most)?;
    if !is_all {
        skipped.file(lines::too_large(most));
    }
    // The first of many lines may be the broken one.
    if start.split(|byte| *byte == b'\n').any(is_request) {
        return read_lines(&start[..], most, &mut intake, skipped);
    }
    if let Err(error) = decode_json_documents(&start, &mut intake, StoreSink::next_request)
        && is_all
    {
        skipped.file(error.to_string());
    }
    Ok(())
}

fn read_lines(
    file: impl BufRead,
    most: usize,
    intake: &mut StoreSink<'_>,
    skipped: &mut SkippedIn<'_>,
) -> io::Result<()> {
    lines::each(file, most, |number, line| {
        let Some(line) = line else { return skipped.line(number, lines::too_long(most)) };
        if let Err(error) = decode_json_documents(line, intake, StoreSink::next_request) {
            skipped.line(number, in_line(&error));
        }
    })
}

fn is_json(line: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok()
}

/// Whether a line is a complete request. No line of a document that spans several lines is.
fn is_request(line: &[u8]) -> bool {
    let holds = |word: &[u8]| memchr::memmem::find(line, word).is_some();
    (holds(b"\"resourceSpans\"") || holds(b"\"resource_spans\"")) && is_json(line)
}

/// An error without its line number, which is always 1.
fn in_line(error: &DecodeError) -> String {
    error.to_string().replace("at line 1 column", "at column")
}

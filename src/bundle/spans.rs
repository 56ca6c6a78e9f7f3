//! Requests in protobuf, read from files; and requests of either encoding, written as lines.

use std::hash::BuildHasher;
use std::io::{self, BufRead, Write};

use super::framed;
use super::lines;
use super::skipped::SkippedIn;
use super::store::{Store, StoreSink};
use crate::wire::otlp::{Redacted, decode_json, decode_protobuf, transcode};
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
    let mut body = Vec::new();
    let is_all = lines::rest(file, &mut body, most)?;
    let mut intake = StoreSink::new(store);
    intake.next_request();
    let decoded = decode_protobuf(&body, &mut intake);
    if !is_all {
        skipped.file(lines::too_large(most));
    } else if let Err(error) = decoded {
        skipped.file(error.to_string());
    }
    Ok(())
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

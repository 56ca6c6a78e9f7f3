//! Requests of either encoding, written as lines.

use std::hash::BuildHasher;
use std::io::{self, Write};

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

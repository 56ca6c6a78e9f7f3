//! Requests that follow each other, each preceded by its length: the Collector's file
//! exporter writes protobuf like this, and compressed messages too
//! (<https://github.com/open-telemetry/opentelemetry-collector-contrib/blob/main/exporter/fileexporter/file_writer.go>).

use std::io::{self, BufRead, Read};

use super::kind::ZSTD;
use super::lines::said;
use super::skipped::SkippedIn;
use crate::wire::otlp::{DecodeError, Sink, decode_json, decode_protobuf};

/// Reads all requests of a file. `next` is called before each.
///
/// A message that cannot be read is skipped, and reported by the byte at which it begins.
/// If a length is wrong, everything after it is lost.
pub fn read<S: Sink>(
    file: &mut impl BufRead,
    sink: &mut S,
    next: &mut dyn FnMut(&mut S),
    most: usize,
    skipped: &mut SkippedIn<'_>,
) -> io::Result<()> {
    let mut at = 0;
    let mut message = Vec::new();
    let mut unpacked = Vec::new();
    loop {
        let mut length = Vec::with_capacity(4);
        file.by_ref().take(4).read_to_end(&mut length)?;
        let Some(length) = length.first_chunk::<4>().filter(|_| length.len() == 4) else {
            if !length.is_empty() {
                skipped.byte(at, "the file ends within the length of a message");
            }
            return Ok(());
        };
        let length = u64::from(u32::from_be_bytes(*length));
        message.clear();
        let kept = length.min(most as u64);
        let count = file.by_ref().take(kept).read_to_end(&mut message)? as u64;
        if count < kept {
            skipped
                .byte(at, format!("the file ends within a message of {length} bytes, after {count} of them"));
            return Ok(());
        }
        if length > kept {
            io::copy(&mut file.by_ref().take(length - kept), &mut io::sink())?;
            skipped.byte(
                at,
                format!("a message has more than {}, which is the most that is read at once", said(most)),
            );
        } else {
            next(sink);
            if let Err(why) = take(&message, &mut unpacked, most, sink) {
                skipped.byte(at, why);
            }
        }
        at += 4 + length;
    }
}

fn take(message: &[u8], unpacked: &mut Vec<u8>, most: usize, sink: &mut impl Sink) -> Result<(), String> {
    if !message.starts_with(ZSTD) {
        return decode(message, sink).map_err(|error| error.to_string());
    }
    unpacked.clear();
    let mut decoder = zstd::stream::read::Decoder::with_buffer(message).map_err(|error| error.to_string())?;
    let read = (&mut decoder).take(most as u64 + 1).read_to_end(unpacked);
    if unpacked.len() > most {
        return Err(format!("a message unpacks to more than {}", said(most)));
    }
    // Of a message that is cut off, what comes before the cut is read.
    let decoded = decode(unpacked, sink);
    read.map_err(|error| format!("broken zstd: {error}"))?;
    decoded.map_err(|error| error.to_string())
}

fn decode(message: &[u8], sink: &mut impl Sink) -> Result<(), DecodeError> {
    if message.trim_ascii_start().starts_with(b"{") {
        decode_json(message, sink)?;
    } else {
        decode_protobuf(message, sink)?;
    }
    Ok(())
}

//! Requests that follow each other, each preceded by its length: the Collector's file
//! exporter writes protobuf like this, and compressed messages too
//! (<https://github.com/open-telemetry/opentelemetry-collector-contrib/blob/main/exporter/fileexporter/file_writer.go>).

use std::io::{self, BufRead, BufReader, Read};

use super::kind::{ZSTD, window_within};
use super::request::{Offsets, Request};
use super::skipped::SkippedIn;
use super::store::{Store, StoreSink};

/// Reads all requests of a file. Of each at most `most` bytes are held.
///
/// A message that cannot be read is skipped, and reported by the byte at which it begins.
/// If a length is wrong, everything after it is lost.
pub fn read(
    file: &mut impl BufRead,
    most: usize,
    store: &mut dyn Store,
    skipped: &mut SkippedIn<'_>,
) -> io::Result<()> {
    let mut intake = StoreSink::new(store);
    let mut held = Vec::new();
    let mut at = 0;
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
        let mut message = file.by_ref().take(length);
        let is_packed = message.fill_buf()?.starts_with(ZSTD);
        let offsets = Offsets { at, content: (!is_packed).then_some(at + 4) };
        let mut request = Request { offsets, most, intake: &mut intake, skipped };
        let read = if is_packed {
            unpacked(&mut request, &mut message, &mut held)?
        } else {
            request.read(&mut message, &mut held)?.map_err(|broken| broken.to_string())
        };
        io::copy(&mut message, &mut io::sink())?;
        let missing = message.limit();
        if missing > 0 {
            let count = length - missing;
            skipped
                .byte(at, format!("the file ends within a message of {length} bytes, after {count} of them"));
            return Ok(());
        }
        if let Err(why) = read {
            skipped.byte(at, why);
        }
        at += 4 + length;
    }
}

/// Reads a message that is compressed by itself. Of one that is cut off, what comes before the
/// cut is read.
fn unpacked(
    request: &mut Request<'_, '_, '_>,
    message: &mut impl BufRead,
    held: &mut Vec<u8>,
) -> io::Result<Result<(), String>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(message)?;
    decoder.window_log_max(window_within(request.most))?;
    let mut bytes = BufReader::new(UntilBroken { decoder, broken: None });
    let read = request.read(&mut bytes, held)?;
    Ok(match bytes.into_inner().broken {
        Some(error) => Err(format!("broken zstd: {error}")),
        None => read.map_err(|broken| broken.to_string()),
    })
}

/// A decoder whose output ends where it breaks.
struct UntilBroken<D> {
    decoder: D,
    broken: Option<io::Error>,
}

impl<D: Read> Read for UntilBroken<D> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.broken.is_some() {
            return Ok(0);
        }
        match self.decoder.read(into) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                self.broken = Some(error);
                Ok(0)
            }
            read => read,
        }
    }
}

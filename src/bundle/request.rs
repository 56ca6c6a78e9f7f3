//! One request of any signal, in protobuf or JSON: a whole file, or a message of one. What is
//! short is held; of what is long, a resource or a span at a time.

use std::io::{self, BufRead, BufReader, Read};

use super::json::HELD;
use super::kind::is_json_object;
use super::lines::{self, said};
use super::place::Place;
use super::skipped::SkippedIn;
use super::store::{Store, StoreSink};
use crate::wire::otlp::{
    Counts, DecodeError, OtherRecords, PIECE, PieceState, Pieces, count_protobuf, decode_json,
    decode_json_stream, decode_protobuf, other_signal,
};

/// Where a request stands in its file.
#[derive(Clone, Copy)]
pub struct Offsets {
    /// The byte that is named where something is wrong with all of it.
    pub at: u64,
    /// The byte at which its content begins; `None` if that is compressed by itself.
    pub content: Option<u64>,
}

impl Offsets {
    /// The place of a byte of the request.
    fn byte(self, within: u64) -> Place {
        Place::Byte(self.content.map_or(self.at, |content| content + within))
    }
}

/// Reads one request in protobuf, which is the whole file.
pub fn read_file(
    file: &mut impl BufRead,
    most: usize,
    store: &mut dyn Store,
    skipped: &mut SkippedIn<'_>,
) -> io::Result<()> {
    let offsets = Offsets { at: 0, content: Some(0) };
    let mut request = Request { offsets, most, intake: &mut StoreSink::new(store), skipped };
    if let Err(broken) = request.read(file, &mut Vec::new())? {
        skipped.file(broken.to_string());
    }
    Ok(())
}

/// Reads one request, and says what finds no room in memory.
pub struct Request<'r, 's, 'n> {
    pub offsets: Offsets,
    pub most: usize,
    pub intake: &'r mut StoreSink<'s>,
    pub skipped: &'r mut SkippedIn<'n>,
}

impl Request<'_, '_, '_> {
    /// Reads all of it, with a buffer that may have been used before. Returns why it breaks
    /// off, if it does; what comes before that was read.
    ///
    /// # Errors
    ///
    /// What the reader says.
    pub fn read(
        &mut self,
        bytes: &mut impl BufRead,
        held: &mut Vec<u8>,
    ) -> io::Result<Result<(), DecodeError>> {
        let short = HELD.min(self.most / 4).max(1);
        held.clear();
        let is_all = lines::rest(bytes, held, short)?;
        let decoded = match (is_json_object(held), is_all) {
            (true, true) => {
                self.intake.next_request();
                decode_json(held, self.intake)
            }
            (true, false) => {
                let rest = BufReader::new((&held[..]).chain(bytes));
                decode_json_stream(rest, self.most - short, self.intake, StoreSink::next_request)
            }
            (false, true) => {
                self.intake.next_request();
                decode(held, self.intake)
            }
            (false, false) => return self.read_pieces((&held[..]).chain(bytes)),
        };
        match decoded {
            Ok(counts) => {
                self.skipped.took(self.offsets.byte(0), counts);
                Ok(Ok(()))
            }
            Err(DecodeError::Json(error)) if error.is_io() => Err(error.into()),
            Err(broken) => Ok(Err(broken)),
        }
    }

    /// Reads a request in protobuf that is too long to be held.
    fn read_pieces(&mut self, bytes: impl BufRead) -> io::Result<Result<(), DecodeError>> {
        let mut pieces = Pieces::of(bytes);
        let mut piece = Vec::new();
        let mut since = PIECE;
        while let Some(found) = pieces.next(&mut piece, self.most)? {
            let place = self.offsets.byte(found.at);
            match found.state {
                PieceState::Whole => {
                    if since >= PIECE {
                        self.intake.next_request();
                        since = 0;
                    }
                    match decode(&piece, self.intake) {
                        Ok(counts) => {
                            since += counts.spans + counts.refused;
                            self.skipped.took(place, counts);
                        }
                        Err(error) => self.skipped.at(place, error.behind(found.at).to_string()),
                    }
                }
                PieceState::TooLong(length) => {
                    let most = said(self.most);
                    let what = format!(
                        "a resource with its spans has {length} bytes, and {most} are the most that is held at once: \
                         it was passed over"
                    );
                    self.skipped.at(place, what);
                }
                PieceState::Broken(why) => {
                    let at = usize::try_from(found.at).unwrap_or(usize::MAX);
                    return Ok(Err(DecodeError::Protobuf { at, why }));
                }
            }
        }
        Ok(Ok(()))
    }
}

/// Reads a request in protobuf that is held. Of another signal only the records are counted.
fn decode(request: &[u8], intake: &mut StoreSink<'_>) -> Result<Counts, DecodeError> {
    match other_signal(request) {
        None => decode_protobuf(request, intake),
        Some(signal) => {
            let others = OtherRecords::of(signal, count_protobuf(signal, request)?);
            Ok(Counts { others, ..Counts::default() })
        }
    }
}

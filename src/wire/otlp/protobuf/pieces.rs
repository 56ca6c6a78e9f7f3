//! A request in protobuf that is too long to be held, read from a reader: one of its fields
//! at a time is held, which is what one resource sent. Requests that stand one behind the
//! other are one request in protobuf, so a file of them is read in the same way.

use std::io::{self, BufRead, Read};

/// The fields of a request, one after the other.
pub struct Pieces<R> {
    reader: R,
    at: u64,
}

/// A field of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Piece {
    /// The byte of the request at which it begins.
    pub at: u64,
    pub state: PieceState,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PieceState {
    /// It was read, with its tag: a request of its own.
    Whole,
    /// It has so many bytes, and was passed over.
    TooLong(u64),
    /// Nothing behind it can be read.
    Broken(&'static str),
}

impl<R: BufRead> Pieces<R> {
    pub const fn of(reader: R) -> Self {
        Self { reader, at: 0 }
    }

    /// Reads the next field of at most `most` bytes into a buffer; `None` at the end. Behind
    /// a broken one there is nothing to ask for.
    ///
    /// # Errors
    ///
    /// What the reader says.
    pub fn next(&mut self, into: &mut Vec<u8>, most: usize) -> io::Result<Option<Piece>> {
        into.clear();
        let at = self.at;
        let told = |state| Ok(Some(Piece { at, state }));
        if self.reader.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let Some(tag) = self.varint(into)? else { return told(PieceState::Broken("a number ends early")) };
        if tag >> 3 == 0 {
            return told(PieceState::Broken("a field of the number 0"));
        }
        let length = match tag & 7 {
            0 => self.varint(into)?.map(|_| 0),
            1 => Some(8),
            2 => self.varint(into)?,
            5 => Some(4),
            _ => return told(PieceState::Broken("a field of a kind that no request has")),
        };
        let Some(length) = length else { return told(PieceState::Broken("a number ends early")) };
        let is_kept = length <= most as u64;
        let passed = if is_kept {
            // Of what is claimed, only what comes takes memory.
            let mut rest = (&mut self.reader).take(length);
            rest.read_to_end(into)? as u64
        } else {
            io::copy(&mut (&mut self.reader).take(length), &mut io::sink())?
        };
        self.at += passed;
        if passed < length {
            return told(PieceState::Broken("a field is longer than its message"));
        }
        told(if is_kept { PieceState::Whole } else { PieceState::TooLong(length) })
    }

    /// Reads a number, and keeps its bytes; `None` if it ends early or is too long.
    fn varint(&mut self, into: &mut Vec<u8>) -> io::Result<Option<u64>> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let Some(byte) = self.reader.fill_buf()?.first().copied() else { return Ok(None) };
            self.reader.consume(1);
            self.at += 1;
            into.push(byte);
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pieces(bytes: &[u8], most: usize) -> Vec<(Piece, Vec<u8>)> {
        let mut pieces = Pieces::of(bytes);
        let (mut all, mut into) = (Vec::new(), Vec::new());
        while let Some(piece) = pieces.next(&mut into, most).expect("memory") {
            all.push((piece, into.clone()));
            if matches!(piece.state, PieceState::Broken(_)) {
                break;
            }
        }
        all
    }

    #[test]
    fn each_field_is_a_piece_and_a_long_one_takes_no_other_with_it() {
        let bytes = b"\x0a\x03abc\x0a\x0alongerlong\x08\x96\x01\x12\x00\x0a\x09cut";
        let told = pieces(bytes, 5);
        let states: Vec<_> = told.iter().map(|(piece, _)| (piece.at, piece.state)).collect();
        assert_eq!(
            states,
            [
                (0, PieceState::Whole),
                (5, PieceState::TooLong(10)),
                (17, PieceState::Whole),
                (20, PieceState::Whole),
                (22, PieceState::Broken("a field is longer than its message")),
            ]
        );
        assert_eq!(told[0].1, b"\x0a\x03abc");
        assert_eq!(told[2].1, b"\x08\x96\x01");
    }

    #[test]
    fn what_is_no_request_is_broken_where_it_begins() {
        for broken in
            [&b"\x0a\x00\x00\x01"[..], b"\x0a\x00\x0b\x0c", b"\x0a\x00\x0a", b"\x0a\x00\x0a\xff\xff"]
        {
            let last = pieces(broken, 100).pop().expect("a piece").0;
            assert!(last.at == 2 && matches!(last.state, PieceState::Broken(_)), "{broken:?}: {last:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256), most in 0_usize..300) {
            let told = pieces(&bytes, most);
            prop_assert!(told.iter().all(|(_, held)| held.len() <= most + 20));
        }
    }
}

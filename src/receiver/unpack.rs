//! Compressed bodies, which are hostile: a gzip of 291 KB can hold 300 MB.

use std::io::Read;

use bytes::Bytes;
use flate2::bufread::{GzDecoder, ZlibDecoder};

use super::body::BodyError;
use super::budget::Reservation;

/// A compression that is understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Coding {
    Gzip,
    Zstd,
    /// zlib, as HTTP and gRPC both mean it.
    Deflate,
}

/// What clients may compress with, as a header names it.
pub const CODINGS: &str = "gzip, zstd, deflate";

impl Coding {
    /// The coding of a `content-encoding` or `grpc-encoding`; `Ok(None)` for none.
    ///
    /// # Errors
    ///
    /// The name, where it is none that is understood.
    pub fn parse(name: &str) -> Result<Option<Self>, &str> {
        let name = name.trim();
        let is = |coding: &str| name.eq_ignore_ascii_case(coding);
        match name {
            _ if name.is_empty() || is("identity") => Ok(None),
            _ if is("gzip") || is("x-gzip") => Ok(Some(Self::Gzip)),
            _ if is("zstd") => Ok(Some(Self::Zstd)),
            _ if is("deflate") => Ok(Some(Self::Deflate)),
            _ => Err(name),
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Deflate => "deflate",
        }
    }
}

/// Unpacks to at most `limit` bytes, each of them within the budget before it is
/// written.
pub fn unpack(
    coding: Coding,
    packed: &[u8],
    limit: usize,
    place: &mut Reservation,
) -> Result<Bytes, BodyError> {
    // The window of a zstd frame is memory too: the 8 MiB that RFC 8878 (3.1.1.1.2)
    // wants of a decoder, and what any level below --ultra takes at most.
    const WINDOW_LOG: u32 = 23;
    let broken = |error: std::io::Error| {
        BodyError::Malformed(format!("the body is not {}, though it says so: {error}", coding.label()))
    };
    match coding {
        Coding::Gzip => read(Members::of(packed), packed.len(), limit, place, broken),
        Coding::Deflate => read(ZlibDecoder::new(packed), packed.len(), limit, place, broken),
        Coding::Zstd => {
            let window = (1 << WINDOW_LOG).min(limit);
            place.grow(window)?;
            let mut decoder = zstd::stream::read::Decoder::with_buffer(packed).map_err(broken)?;
            decoder.window_log_max(WINDOW_LOG).map_err(broken)?;
            let unpacked = read(decoder, packed.len(), limit, place, broken);
            place.shrink(window);
            unpacked
        }
    }
}

/// The members of a gzip, one after the other as RFC 1952 (2.2) has them.
///
/// Only so many: a client writes one, and a request may hold three million empty
/// ones, which cost a quarter of a minute and unpack to nothing.
struct Members<'p> {
    member: GzDecoder<&'p [u8]>,
    left: usize,
}

impl<'p> Members<'p> {
    const MOST: usize = 64;

    fn of(packed: &'p [u8]) -> Self {
        Self { member: GzDecoder::new(packed), left: Self::MOST }
    }
}

impl Read for Members<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let count = self.member.read(buffer)?;
            let rest = *self.member.get_ref();
            if count > 0 || rest.is_empty() || buffer.is_empty() {
                return Ok(count);
            }
            self.left = self
                .left
                .checked_sub(1)
                .ok_or_else(|| std::io::Error::other(format!("it has more than {} members", Self::MOST)))?;
            self.member = GzDecoder::new(rest);
        }
    }
}

fn read(
    mut decoder: impl Read,
    packed: usize,
    limit: usize,
    place: &mut Reservation,
    broken: impl Fn(std::io::Error) -> BodyError,
) -> Result<Bytes, BodyError> {
    const LEAST: usize = 4 << 10;
    let mut unpacked = Vec::new();
    let mut length = 0;
    loop {
        if length == unpacked.len() {
            // One byte more than the limit shows that there is more.
            let grown = if length == 0 { packed.saturating_mul(8).max(LEAST) } else { length * 2 };
            let grown = grown.min(limit + 1);
            if grown == length {
                return Err(BodyError::TooLarge);
            }
            // Both stand side by side while the one is copied to the other.
            place.grow(grown)?;
            let mut wider = Vec::with_capacity(grown);
            wider.extend_from_slice(&unpacked);
            wider.resize(grown, 0);
            place.shrink(unpacked.len());
            unpacked = wider;
        }
        match decoder.read(&mut unpacked[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(broken(error)),
        }
    }
    if length > limit {
        return Err(BodyError::TooLarge);
    }
    unpacked.truncate(length);
    Ok(unpacked.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use super::super::Budget;
    use super::*;

    fn packed(coding: Coding, bytes: &[u8]) -> Vec<u8> {
        match coding {
            Coding::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(bytes).expect("memory");
                encoder.finish().expect("memory")
            }
            Coding::Deflate => {
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(bytes).expect("memory");
                encoder.finish().expect("memory")
            }
            Coding::Zstd => zstd::encode_all(bytes, 3).expect("memory"),
        }
    }

    const ALL: [Coding; 3] = [Coding::Gzip, Coding::Zstd, Coding::Deflate];

    #[test]
    fn each_coding_unpacks_to_the_limit_and_not_a_byte_further() {
        let bytes: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        for coding in ALL {
            let budget = Arc::new(Budget::new(64 << 20));
            let mut place = budget.open();
            let packed = packed(coding, &bytes);
            let whole = unpack(coding, &packed, bytes.len(), &mut place).expect("within the limit");
            assert_eq!(whole, bytes, "{coding:?}");
            assert!(budget.used() >= whole.len(), "{coding:?}");
            let over = unpack(coding, &packed, bytes.len() - 1, &mut place);
            assert_eq!(over, Err(BodyError::TooLarge), "{coding:?}");
            assert_eq!(unpack(coding, &self::packed(coding, b""), 10, &mut place), Ok(Bytes::new()));
        }
    }

    #[test]
    fn a_bomb_stops_at_the_budget() {
        let zeros = vec![0; 40 << 20];
        for coding in ALL {
            let budget = Arc::new(Budget::new(20 << 20));
            let unpacked = unpack(coding, &packed(coding, &zeros), 64 << 20, &mut budget.open());
            assert_eq!(unpacked, Err(BodyError::Full), "{coding:?}");
            assert_eq!(budget.used(), 0);
        }
    }

    #[test]
    fn what_is_cut_or_something_else_is_malformed() {
        for coding in ALL {
            let budget = Arc::new(Budget::new(64 << 20));
            let whole = packed(coding, &[7; 1000]);
            for bytes in [&b"resource spans"[..], &whole[..whole.len() - 2]] {
                let error = unpack(coding, bytes, 10_000, &mut budget.open()).expect_err("broken");
                assert!(matches!(&error, BodyError::Malformed(_)), "{coding:?}: {error:?}");
            }
        }
    }

    #[test]
    fn a_gzip_of_several_members_is_whole_and_one_of_too_many_is_none() {
        let budget = Arc::new(Budget::new(64 << 20));
        let twice = [packed(Coding::Gzip, b"resource "), packed(Coding::Gzip, b"spans")].concat();
        let whole = unpack(Coding::Gzip, &twice, 100, &mut budget.open());
        assert_eq!(whole, Ok(Bytes::from_static(b"resource spans")));
        let empty = packed(Coding::Gzip, b"").repeat(1_000);
        let error = unpack(Coding::Gzip, &empty, 100, &mut budget.open()).expect_err("too many");
        assert!(
            matches!(&error, BodyError::Malformed(why) if why.contains("more than 64 members")),
            "{error:?}"
        );
    }

    #[test]
    fn names_are_read_in_any_case() {
        assert_eq!(Coding::parse(" GZIP "), Ok(Some(Coding::Gzip)));
        assert_eq!(Coding::parse("identity"), Ok(None));
        assert_eq!(Coding::parse("br"), Err("br"));
        assert_eq!(Coding::parse("gzip, gzip"), Err("gzip, gzip"));
    }
}

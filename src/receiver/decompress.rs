//! Decompresses bodies. They are hostile: a gzip of 291 KB can hold 300 MB.

use std::io::Read;

use bytes::Bytes;
use flate2::bufread::{GzDecoder, ZlibDecoder};

use super::body::BodyError;
use super::budget::Reservation;

/// A compression that the receiver understands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Coding {
    Gzip,
    Zstd,
    /// zlib: HTTP and gRPC both mean that.
    Deflate,
}

/// The codings that clients may use, as a header lists them.
pub const CODINGS: &str = "gzip, zstd, deflate";

impl Coding {
    /// Reads a `content-encoding` or `grpc-encoding`; `Ok(None)` for no compression.
    ///
    /// # Errors
    ///
    /// The name, where it is not a coding that the receiver understands.
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

/// Decompresses to at most `limit` bytes. Each byte is reserved in the budget before it
/// is written.
pub async fn decompress(
    coding: Coding,
    packed: &[u8],
    limit: usize,
    reservation: &mut Reservation,
) -> Result<Bytes, BodyError> {
    // The window of a zstd frame is memory too. It may have 8 MiB, which RFC 8878
    // (3.1.1.1.2) asks of every decoder and which no level below --ultra exceeds.
    const WINDOW_LOG: u32 = 23;
    let broken = |error: std::io::Error| {
        BodyError::Malformed(format!("the body is not {}, though it says so: {error}", coding.label()))
    };
    match coding {
        Coding::Gzip => read(Members::of(packed), packed.len(), limit, reservation, broken).await,
        Coding::Deflate => read(ZlibDecoder::new(packed), packed.len(), limit, reservation, broken).await,
        Coding::Zstd => {
            let log = window_log(packed).min(WINDOW_LOG);
            reservation.reserve(1 << log).await?;
            let mut decoder = zstd::stream::read::Decoder::with_buffer(packed).map_err(broken)?;
            // Later frames may not have a larger one.
            decoder.window_log_max(log).map_err(broken)?;
            let decompressed = read(decoder, packed.len(), limit, reservation, broken).await;
            reservation.shrink(1 << log);
            decompressed
        }
    }
}

/// The logarithm of the window size of the first frame of a zstd body, rounded up, from
/// its header: <https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1.1>. A decoder has at
/// least 1 KiB.
fn window_log(packed: &[u8]) -> u32 {
    const LEAST: u32 = 10;
    const MOST: u32 = 63;
    let Some([descriptor, rest @ ..]) = packed.get(4..) else { return LEAST };
    let log = if descriptor & 0b10_0000 == 0 {
        // An exponent, and eighths of it.
        let window = rest.first().copied().unwrap_or_default();
        LEAST + u32::from(window >> 3) + u32::from(window & 0b111 > 0)
    } else {
        // A single segment: the window is as large as the content, and that size comes
        // after the id of a dictionary.
        let dictionary = [0, 1, 2, 4][usize::from(descriptor & 0b11)];
        let bytes = 1 << (descriptor >> 6);
        let size = rest.get(dictionary..dictionary + bytes).unwrap_or_default();
        let size = size.iter().rev().fold(0, |size: u64, byte| size << 8 | u64::from(*byte));
        let size = if bytes == 2 { size + 256 } else { size };
        size.checked_next_power_of_two().map_or(MOST, u64::ilog2)
    };
    log.clamp(LEAST, MOST)
}

/// The members of a gzip, one after the other (RFC 1952, 2.2).
///
/// Their number is limited. A client writes one, but a request may hold three million
/// empty ones, which take a quarter of a minute to read and decompress to nothing.
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

async fn read(
    mut decoder: impl Read + Send,
    packed: usize,
    limit: usize,
    reservation: &mut Reservation,
    broken: impl Fn(std::io::Error) -> BodyError + Send,
) -> Result<Bytes, BodyError> {
    const LEAST: usize = 4 << 10;
    /// The first guess is at most this, or the length of the compressed body.
    const GUESS: usize = 1 << 20;
    /// Output is allocated in steps: memory that was never touched costs nothing.
    const STEP: usize = 64 << 10;
    let mut decompressed = Vec::new();
    let (mut length, mut room) = (0, 0);
    loop {
        if length == room {
            let guess = || packed.saturating_mul(8).min(GUESS.max(packed)).max(LEAST);
            let grown = if length == 0 { guess() } else { length * 2 };
            // One byte more than the limit shows that there is more. Both buffers exist
            // while one is copied to the other.
            let grown = grown.min(limit + 1).min(reservation.most_more());
            if grown <= length {
                return Err(BodyError::TooLarge);
            }
            reservation.reserve(grown).await?;
            let mut wider = Vec::with_capacity(grown);
            wider.extend_from_slice(&decompressed[..length]);
            decompressed = wider;
            reservation.shrink(room);
            room = grown;
        }
        if decompressed.len() == length {
            decompressed.resize((length + STEP).min(room), 0);
        }
        match decoder.read(&mut decompressed[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(broken(error)),
        }
    }
    if length > limit {
        return Err(BodyError::TooLarge);
    }
    decompressed.truncate(length);
    Ok(decompressed.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;
    use std::time::Duration;

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

    fn decompress(
        coding: Coding,
        packed: &[u8],
        limit: usize,
        reservation: &mut Reservation,
    ) -> Result<Bytes, BodyError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(super::decompress(coding, packed, limit, reservation))
    }

    const ALL: [Coding; 3] = [Coding::Gzip, Coding::Zstd, Coding::Deflate];

    #[test]
    fn each_coding_unpacks_to_the_limit_and_not_a_byte_further() {
        let bytes: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        for coding in ALL {
            let budget = Arc::new(Budget::new(64 << 20));
            let mut reservation = budget.share(Duration::MAX).open();
            let packed = packed(coding, &bytes);
            let whole = decompress(coding, &packed, bytes.len(), &mut reservation).expect("within the limit");
            assert_eq!(whole, bytes, "{coding:?}");
            assert!(budget.used() >= whole.len(), "{coding:?}");
            let over = decompress(coding, &packed, bytes.len() - 1, &mut reservation);
            assert_eq!(over, Err(BodyError::TooLarge), "{coding:?}");
            assert_eq!(
                decompress(coding, &self::packed(coding, b""), 10, &mut reservation),
                Ok(Bytes::new())
            );
        }
    }

    #[test]
    fn a_bomb_stops_at_the_budget() {
        let zeros = vec![0; 40 << 20];
        for coding in ALL {
            let budget = Arc::new(Budget::new(20 << 20));
            let decompressed = decompress(
                coding,
                &packed(coding, &zeros),
                64 << 20,
                &mut budget.share(Duration::MAX).open(),
            );
            // It never fits, so that it is not sent again.
            assert_eq!(decompressed, Err(BodyError::TooLarge), "{coding:?}");
            assert_eq!(budget.used(), 0);
        }
    }

    /// Each once took the 8 MiB that a frame may ask for: eight requests at a time
    /// were all that 256 MiB had room for, and none that 16 MiB had.
    #[test]
    fn a_zstd_body_takes_the_window_that_it_asks_for() {
        let bytes: Vec<u8> = (0..50_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut streamed = zstd::stream::write::Encoder::new(Vec::new(), 3).expect("memory");
        streamed.write_all(&bytes).expect("memory");
        let streamed = streamed.finish().expect("memory");
        let whole = zstd::bulk::compress(&bytes, 3).expect("memory");
        for (packed, most) in [(whole, 18), (streamed, 21)] {
            let log = window_log(&packed);
            assert!(log <= most, "{log}");
            let budget = Arc::new(Budget::new(4 << 20));
            let decompressed =
                decompress(Coding::Zstd, &packed, 1 << 20, &mut budget.share(Duration::MAX).open());
            assert_eq!(decompressed.expect("it fits"), bytes);
        }
        let mut wide = zstd::stream::write::Encoder::new(Vec::new(), 3).expect("memory");
        wide.window_log(25).expect("a window");
        wide.write_all(&bytes).expect("memory");
        let wide = wide.finish().expect("memory");
        assert_eq!(window_log(&wide), 25);
        let budget = Arc::new(Budget::new(64 << 20));
        let refused = decompress(Coding::Zstd, &wide, 1 << 20, &mut budget.share(Duration::MAX).open());
        assert!(matches!(refused, Err(BodyError::Malformed(_))), "{refused:?}");
    }

    #[test]
    fn what_is_cut_or_something_else_is_malformed() {
        for coding in ALL {
            let budget = Arc::new(Budget::new(64 << 20));
            let whole = packed(coding, &[7; 1000]);
            for bytes in [&b"resource spans"[..], &whole[..whole.len() - 2]] {
                let error = decompress(coding, bytes, 10_000, &mut budget.share(Duration::MAX).open())
                    .expect_err("broken");
                assert!(matches!(&error, BodyError::Malformed(_)), "{coding:?}: {error:?}");
            }
        }
    }

    #[test]
    fn a_gzip_of_several_members_is_whole_and_one_of_too_many_is_none() {
        let budget = Arc::new(Budget::new(64 << 20));
        let twice = [packed(Coding::Gzip, b"resource "), packed(Coding::Gzip, b"spans")].concat();
        let whole = decompress(Coding::Gzip, &twice, 100, &mut budget.share(Duration::MAX).open());
        assert_eq!(whole, Ok(Bytes::from_static(b"resource spans")));
        let empty = packed(Coding::Gzip, b"").repeat(1_000);
        let error = decompress(Coding::Gzip, &empty, 100, &mut budget.share(Duration::MAX).open())
            .expect_err("too many");
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

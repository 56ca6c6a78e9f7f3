//! The compressions of `headers.compression`, each with a limit that is enforced while it
//! inflates: a bomb costs no more than the limit.

use std::io::Read;

/// Why a body could not be inflated.
#[derive(Debug, thiserror::Error)]
pub enum DecompressError {
    #[error("unknown compression `{0}`")]
    Unknown(String),
    #[error("larger than {0} bytes when inflated")]
    TooLarge(usize),
    #[error("broken {name} data: {source}")]
    Broken { name: &'static str, source: std::io::Error },
}

/// How much memory an LZMA dictionary may take, in bytes.
const LZMA_MEMORY: u64 = 64 << 20;
/// The largest Zstandard window, as a power of two: 8 MiB, which the format
/// recommends that every decoder support (RFC 8878, 3.1.1.1.2).
const ZSTD_WINDOW_LOG: u32 = 23;

/// Inflates `bytes` by kombu's name for the compression.
///
/// # Errors
///
/// [`DecompressError`]: an unknown name, broken data, or more than `limit` bytes.
/// What comes after the first stream is not looked at: kombu writes one, and a
/// million empty ones cost minutes and inflate to nothing.
pub fn decompress(name: &str, bytes: &[u8], limit: usize) -> Result<Vec<u8>, DecompressError> {
    let broken = |name| move |source| DecompressError::Broken { name, source };
    match name {
        // kombu's "gzip" is zlib (`78 9c`); a true gzip header is accepted as well.
        "application/x-gzip" | "gzip" | "zlib" if bytes.starts_with(&[0x1f, 0x8b]) => {
            bounded(flate2::read::GzDecoder::new(bytes), limit, "gzip")
        }
        "application/x-gzip" | "gzip" | "zlib" => {
            bounded(flate2::read::ZlibDecoder::new(bytes), limit, "zlib")
        }
        "application/x-bz2" | "bzip2" | "bzip" => bounded(bzip2::read::BzDecoder::new(bytes), limit, "bzip2"),
        "application/x-lzma" | "lzma" | "xz" => {
            let stream = liblzma::stream::Stream::new_auto_decoder(LZMA_MEMORY, 0)
                .map_err(std::io::Error::from)
                .map_err(broken("lzma"))?;
            bounded(liblzma::read::XzDecoder::new_stream(bytes, stream), limit, "lzma")
        }
        "application/zstd" | "zstd" => {
            let mut decoder = zstd::stream::read::Decoder::new(bytes).map_err(broken("zstd"))?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(broken("zstd"))?;
            bounded(decoder.single_frame(), limit, "zstd")
        }
        "application/x-brotli" | "brotli" | "application/brotli" => {
            const BUFFER: usize = 4096;
            bounded(brotli_decompressor::Decompressor::new(bytes, BUFFER), limit, "brotli")
        }
        other => Err(DecompressError::Unknown(other.chars().take(64).collect())),
    }
}

fn bounded(reader: impl Read, limit: usize, name: &'static str) -> Result<Vec<u8>, DecompressError> {
    let mut inflated = Vec::new();
    reader
        .take(limit as u64 + 1)
        .read_to_end(&mut inflated)
        .map_err(|source| DecompressError::Broken { name, source })?;
    if inflated.len() > limit { Err(DecompressError::TooLarge(limit)) } else { Ok(inflated) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).expect("writes to memory");
        encoder.finish().expect("writes to memory")
    }

    /// The same bytes in every compression that kombu knows.
    fn every(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
        let mut bz = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        bz.write_all(bytes).expect("writes to memory");
        let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 0);
        xz.write_all(bytes).expect("writes to memory");
        vec![
            ("application/x-gzip", zlib(bytes)),
            ("application/x-bz2", bz.finish().expect("writes to memory")),
            ("application/x-lzma", xz.finish().expect("writes to memory")),
            ("application/zstd", zstd::encode_all(bytes, 1).expect("writes to memory")),
        ]
    }

    #[test]
    fn what_was_deflated_is_inflated() {
        for (name, bytes) in every(b"[[], {}, {}]") {
            assert_eq!(decompress(name, &bytes, 1024).expect(name), b"[[], {}, {}]");
        }
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        for (name, bomb) in every(&vec![0; 64 << 20]) {
            assert!(bomb.len() < 1 << 20, "{name} is no bomb");
            assert!(matches!(decompress(name, &bomb, 1 << 16), Err(DecompressError::TooLarge(_))), "{name}");
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test measures what it waited")]
    fn one_stream_is_inflated_however_many_come() {
        for (name, stream) in every(b"[[], {}, {}]") {
            let began = std::time::Instant::now();
            let inflated = decompress(name, &stream.repeat(200_000), 64 << 20).expect(name);
            assert_eq!(inflated, b"[[], {}, {}]", "{name}");
            assert!(began.elapsed().as_secs() < 2, "{name} took {:?}", began.elapsed());
        }
    }

    #[test]
    fn truncated_and_foreign_bytes_are_errors() {
        for (name, bytes) in every(&[7; 4096]) {
            for end in 1..bytes.len() {
                let inflated = decompress(name, &bytes[..end], 1 << 16).unwrap_or_default();
                assert!(inflated.len() <= 4096, "{name} cut at {end}");
            }
            assert!(decompress(name, b"not at all", 1 << 16).is_err(), "{name}");
        }
        assert!(matches!(decompress("application/x-snappy", b"", 1), Err(DecompressError::Unknown(_))));
    }
}

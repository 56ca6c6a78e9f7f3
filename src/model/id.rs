//! Trace and span identifiers.

use std::fmt;

use serde::{Serialize, Serializer};

/// A trace id: 16 bytes, as in the [W3C Trace Context] recommendation.
///
/// A B3 id of 64 bits is padded with zeros on the left, so that both forms of an id compare
/// equal.
///
/// [W3C Trace Context]: https://www.w3.org/TR/trace-context-2/#trace-id
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TraceId([u8; 16]);

/// A span id: 8 bytes, as in the [W3C Trace Context] recommendation.
///
/// [W3C Trace Context]: https://www.w3.org/TR/trace-context-2/#parent-id
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SpanId([u8; 8]);

impl TraceId {
    /// Takes the bytes as they are, all-zero included.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes in network order.
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// The low 64 bits, which ratio samplers of the OpenTelemetry SDKs decide by.
    pub fn low64(self) -> u64 {
        let low = self.0.last_chunk().expect("16 bytes end in 8");
        u64::from_be_bytes(*low)
    }

    /// Whether every bit is zero, which no valid id is.
    pub fn is_zero(self) -> bool {
        self.0 == [0; 16]
    }

    /// Reads 16 or 32 hexadecimal digits of either case; 16 are padded on the left.
    pub fn parse_hex(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; 16];
        match text.len() {
            32 => decode_hex(text, &mut bytes)?,
            16 => decode_hex(text, &mut bytes[8..])?,
            _ => return None,
        }
        Some(Self(bytes))
    }
}

impl SpanId {
    /// Takes the bytes as they are, all-zero included.
    pub const fn new(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// The bytes in network order.
    pub const fn bytes(self) -> [u8; 8] {
        self.0
    }

    /// Whether every bit is zero, which no valid id is.
    pub fn is_zero(self) -> bool {
        self.0 == [0; 8]
    }

    /// Reads 16 hexadecimal digits of either case.
    pub fn parse_hex(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; 8];
        if text.len() != 16 {
            return None;
        }
        decode_hex(text, &mut bytes)?;
        Some(Self(bytes))
    }
}

/// Decodes `2 * out.len()` hexadecimal digits; `None` where one is not a digit.
fn decode_hex(text: &[u8], out: &mut [u8]) -> Option<()> {
    for (byte, pair) in out.iter_mut().zip(text.chunks_exact(2)) {
        let high = HEX_VALUE[usize::from(pair[0])];
        let low = HEX_VALUE[usize::from(pair[1])];
        if high | low > 15 {
            return None;
        }
        *byte = high << 4 | low;
    }
    Some(())
}

/// The value of each hexadecimal digit, 255 for every other byte. A table, because a
/// million headers have to be read quickly.
static HEX_VALUE: [u8; 256] = {
    let mut table = [255; 256];
    let mut digit = 0_u8;
    while digit < 16 {
        table[b"0123456789abcdef"[digit as usize] as usize] = digit;
        table[b"0123456789ABCDEF"[digit as usize] as usize] = digit;
        digit += 1;
    }
    table
};

macro_rules! hex_text {
    ($id:ty, $number:ty) => {
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                // At once: byte by byte it was a tenth of what saving took.
                let digits = 2 * size_of::<$number>();
                write!(f, "{:0digits$x}", <$number>::from_be_bytes(self.0))
            }
        }

        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $id {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    };
}

hex_text!(TraceId, u128);
hex_text!(SpanId, u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixty_four_bit_ids_are_padded_on_the_left() {
        let short = TraceId::parse_hex(b"463ac35c9f6413ad").expect("16 digits");
        let long = TraceId::parse_hex(b"0000000000000000463ac35c9f6413ad").expect("32 digits");
        assert_eq!(short, long);
        assert_eq!(short.low64(), 0x463a_c35c_9f64_13ad);
        assert_eq!(short.to_string(), "0000000000000000463ac35c9f6413ad");
    }

    #[test]
    fn only_hexadecimal_digits_of_the_right_number_are_read() {
        assert_eq!(SpanId::parse_hex(b"00f067aa0ba902b"), None);
        assert_eq!(SpanId::parse_hex(b"00f067aa0ba902bg"), None);
        assert_eq!(SpanId::parse_hex(b"00F067AA0BA902B7"), SpanId::parse_hex(b"00f067aa0ba902b7"));
        assert!(TraceId::parse_hex(&[b'0'; 32]).expect("digits").is_zero());
    }
}

//! `MessagePack`, as far as a body needs it:
//! <https://github.com/msgpack/msgpack/blob/master/spec.md>.
//!
//! It is walked by hand because `rmpv` limits the depth of values but not their number:
//! each byte may be one, so 16 MiB of zeros would be sixteen million values.

use serde_json::{Map, Value};

use super::cursor::{Break, Cursor, Step};

/// Why a body could not be walked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("broken MessagePack at byte {at}: {why}")]
pub struct MsgpackError {
    pub at: usize,
    pub why: &'static str,
}

/// How deep it may nest.
const DEPTH: usize = 128;
/// How many values it may hold. A task's body has a few hundred.
const VALUES: usize = 100_000;

/// Walks the first value. Extension types become null, and a key that is a container
/// becomes the offset at which it ends.
///
/// # Errors
///
/// [`MsgpackError`] where the bytes end early, nest deeper than 128 levels, hold
/// more than 100,000 values or a byte that begins none.
pub fn walk(bytes: &[u8]) -> Result<Value, MsgpackError> {
    let walked = Walker { cursor: Cursor::of(bytes), values: 0 }.value(0);
    walked.map_err(|Break { at, why }| MsgpackError { at, why })
}

struct Walker<'a> {
    cursor: Cursor<'a>,
    values: usize,
}

impl Walker<'_> {
    fn fail<T>(&self, why: &'static str) -> Step<T> {
        self.cursor.fail(why)
    }

    /// A big-endian number with a sign.
    fn signed(&mut self, width: usize) -> Step<i64> {
        let unused = 64 - 8 * u32::try_from(width).expect("eight bytes at most");
        Ok((self.cursor.big_endian(width)? << unused).cast_signed() >> unused)
    }

    fn length(&mut self, width: usize) -> Step<usize> {
        let length = usize::try_from(self.cursor.big_endian(width)?);
        length.or_else(|_| self.fail("a length beyond memory"))
    }

    fn text(&mut self, length: usize) -> Step<Value> {
        Ok(String::from_utf8_lossy(self.cursor.take(length)?).into_owned().into())
    }

    fn extension(&mut self, length: usize) -> Step<Value> {
        // The type, and what it holds.
        self.cursor.take(1)?;
        self.cursor.take(length).map(|_| Value::Null)
    }

    fn value(&mut self, depth: usize) -> Step<Value> {
        self.values += 1;
        if self.values > VALUES {
            return self.fail("more than 100,000 values");
        }
        if depth > DEPTH {
            return self.fail("it nests too deep");
        }
        let marker = self.cursor.byte()?;
        match marker {
            0x00..=0x7f => Ok(marker.into()),
            0xe0..=0xff => Ok(marker.cast_signed().into()),
            0x80..=0x8f => self.map(usize::from(marker & 0x0f), depth),
            0x90..=0x9f => self.array(usize::from(marker & 0x0f), depth),
            0xa0..=0xbf => self.text(usize::from(marker & 0x1f)),
            0xc0 => Ok(Value::Null),
            0xc2 | 0xc3 => Ok((marker == 0xc3).into()),
            // bin and str of a length of one, two or four bytes
            0xc4..=0xc6 => self.length(1 << (marker - 0xc4)).and_then(|length| self.text(length)),
            0xd9..=0xdb => self.length(1 << (marker - 0xd9)).and_then(|length| self.text(length)),
            0xc7..=0xc9 => self.length(1 << (marker - 0xc7)).and_then(|length| self.extension(length)),
            0xd4..=0xd8 => self.extension(1 << (marker - 0xd4)),
            0xca => self.cursor.array().map(|bytes| f32::from_be_bytes(bytes).into()),
            0xcb => self.cursor.array().map(|bytes| f64::from_be_bytes(bytes).into()),
            0xcc..=0xcf => self.cursor.big_endian(1 << (marker - 0xcc)).map(Into::into),
            0xd0..=0xd3 => self.signed(1 << (marker - 0xd0)).map(Into::into),
            0xdc | 0xdd => self.length(2 << (marker - 0xdc)).and_then(|count| self.array(count, depth)),
            0xde | 0xdf => self.length(2 << (marker - 0xde)).and_then(|count| self.map(count, depth)),
            0xc1 => self.fail("a byte that begins nothing"),
        }
    }

    fn array(&mut self, count: usize, depth: usize) -> Step<Value> {
        // An announced length is trusted only as far as the bytes go.
        let mut list = Vec::new();
        for _ in 0..count {
            list.push(self.value(depth + 1)?);
        }
        Ok(Value::Array(list))
    }

    fn map(&mut self, count: usize, depth: usize) -> Step<Value> {
        let mut map = Map::new();
        for _ in 0..count {
            let key = match self.value(depth + 1)? {
                Value::String(key) => key,
                // No carrier has such a key, and nested quoting would double it at each
                // level.
                Value::Array(_) | Value::Object(_) => format!("({})", self.cursor.at()),
                other => other.to_string(),
            };
            map.insert(key, self.value(depth + 1)?);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_type_is_read() {
        let cases: [(&[u8], Value); 20] = [
            (b"\x07", json!(7)),
            (b"\xff", json!(-1)),
            (b"\xe0", json!(-32)),
            (b"\x81\xa1n\x02", json!({"n": 2})),
            (b"\x92\x01\x02", json!([1, 2])),
            (b"\xc0", json!(null)),
            (b"\xc3", json!(true)),
            (b"\xc4\x02hi", json!("hi")),
            (b"\xd9\x02hi", json!("hi")),
            (b"\xda\x00\x02hi", json!("hi")),
            (b"\xdb\x00\x00\x00\x02hi", json!("hi")),
            (b"\xcb\x3f\xf8\0\0\0\0\0\0", json!(1.5)),
            (b"\xca\x3f\xc0\0\0", json!(1.5)),
            (b"\xcd\x01\x00", json!(256)),
            (b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", json!(u64::MAX)),
            (b"\xd0\x80", json!(-128)),
            (b"\xd1\xff\xfe", json!(-2)),
            (b"\xd3\x80\0\0\0\0\0\0\0", json!(i64::MIN)),
            (b"\x92\xd5\x01ab\xc7\x01\x05x", json!([null, null])),
            (b"\xdf\0\0\0\x02\x01\xc2\x91\x01\x03", json!({"1": false, "(9)": 3})),
        ];
        for (bytes, value) in cases {
            assert_eq!(walk(bytes), Ok(value), "{bytes:x?}");
        }
        assert_eq!(walk(b"\xdc\0\x01\xde\0\x01\xa1k\x01"), Ok(json!([{"k": 1}])));
    }

    #[test]
    fn what_is_announced_and_does_not_come_is_an_error() {
        for bytes in [
            &b""[..],
            b"\xdd\xff\xff\xff\xff",
            b"\xdf\xff\xff\xff\xff\x01",
            b"\xdb\xff\xff\xff\xffx",
            b"\xc1",
        ] {
            assert!(walk(bytes).is_err(), "{bytes:x?}");
        }
    }

    #[test]
    fn values_and_depth_are_bounded() {
        let error =
            walk(&[&b"\xdd\x00\xff\xff\xff"[..], &[0].repeat(200_000)].concat()).expect_err("too many");
        assert_eq!(error.why, "more than 100,000 values");
        assert_eq!(walk(&[0x91].repeat(100_000)).expect_err("too deep").why, "it nests too deep");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _ = walk(&bytes);
        }
    }
}

//! A line of `MONITOR`: `+1339518083.107412 [0 127.0.0.1:60866] "keys" "*"`.
//!
//! Arguments are quoted as `sdscatrepr` does it
//! (<https://github.com/redis/redis/blob/7.0/src/sds.c>): `\\`, `\"`, `\n`, `\r`,
//! `\t`, `\a`, `\b`, and `\xNN` for every byte that is not printable ASCII. The
//! source is an address, `unix:<path>`, or `lua` for a command of a script.

use std::borrow::Cow;

use crate::model::Timestamp;

/// One command that the server ran. Its arguments are read when they are needed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Command<'l> {
    pub at: Timestamp,
    pub db: u32,
    /// The command and its arguments, still quoted.
    words: &'l [u8],
}

impl<'l> Command<'l> {
    /// Reads a line, with or without the `+` of a simple string. `None` where it is no
    /// line of `MONITOR`.
    pub fn parse(line: &'l [u8]) -> Option<Self> {
        let line = line.strip_prefix(b"+").unwrap_or(line);
        let (time, rest) = split(line, b" [")?;
        let (source, words) = split(rest, b"] ")?;
        let (db, _) = split(source, b" ")?;
        let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<u64>().ok();
        let (seconds, micros) = split(time, b".")?;
        if micros.len() != 6 {
            return None;
        }
        let nanos = number(seconds)?.checked_mul(1_000_000_000)?.checked_add(number(micros)? * 1000)?;
        if !words.starts_with(b"\"") {
            return None;
        }
        Some(Self { at: Timestamp::from_nanos(nanos), db: u32::try_from(number(db)?).ok()?, words })
    }

    /// The command's name as the client wrote it, which may be in any case.
    pub fn name(&self) -> &'l [u8] {
        let inner = &self.words[1..];
        // The name of a command never needs quotes.
        &inner[..memchr::memchr(b'"', inner).unwrap_or(inner.len())]
    }

    /// The arguments after the name. They end at the first that is malformed.
    pub fn arguments(&self) -> impl Iterator<Item = Cow<'l, [u8]>> + use<'l> {
        let mut rest = self.words;
        std::iter::from_fn(move || {
            let (word, after) = unquote(rest)?;
            rest = after.strip_prefix(b" ").unwrap_or_default();
            Some(word)
        })
        .skip(1)
    }
}

fn split<'l>(text: &'l [u8], by: &[u8]) -> Option<(&'l [u8], &'l [u8])> {
    let at = memchr::memmem::find(text, by)?;
    Some((&text[..at], &text[at + by.len()..]))
}

/// Reads the quoted word at the start of a text, and returns the rest of the text too.
fn unquote(text: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let mut rest = text.strip_prefix(b"\"")?;
    let stop = memchr::memchr2(b'"', b'\\', rest)?;
    if rest[stop] == b'"' {
        return Some((Cow::Borrowed(&rest[..stop]), &rest[stop + 1..]));
    }
    let mut word = Vec::with_capacity(rest.len().min(1 << 12));
    loop {
        let stop = memchr::memchr2(b'"', b'\\', rest)?;
        word.extend_from_slice(&rest[..stop]);
        if rest[stop] == b'"' {
            return Some((Cow::Owned(word), &rest[stop + 1..]));
        }
        let (byte, length) = match *rest.get(stop + 1)? {
            b'n' => (b'\n', 2),
            b'r' => (b'\r', 2),
            b't' => (b'\t', 2),
            b'a' => (7, 2),
            b'b' => (8, 2),
            b'x' => {
                let digits = rest.get(stop + 2..stop + 4)?;
                let digit = |at: usize| char::from(digits[at]).to_digit(16);
                (u8::try_from(digit(0)? * 16 + digit(1)?).ok()?, 4)
            }
            other => (other, 2),
        };
        word.push(byte);
        rest = &rest[stop + length..];
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Quotes as Redis does: `sdscatrepr` of `sds.c`.
    fn quote(word: &[u8]) -> Vec<u8> {
        let mut quoted = vec![b'"'];
        for byte in word {
            match byte {
                b'\\' | b'"' => quoted.extend([b'\\', *byte]),
                b'\n' => quoted.extend(b"\\n"),
                b'\r' => quoted.extend(b"\\r"),
                b'\t' => quoted.extend(b"\\t"),
                7 => quoted.extend(b"\\a"),
                8 => quoted.extend(b"\\b"),
                0x20..=0x7e => quoted.push(*byte),
                other => quoted.extend(format!("\\x{other:02x}").bytes()),
            }
        }
        quoted.push(b'"');
        quoted
    }

    #[test]
    fn a_line_is_read_whoever_said_it() {
        for source in ["127.0.0.1:60866", "[::1]:60866", "unix:/run/redis.sock", "lua"] {
            let line =
                format!("+1339518083.107412 [3 {source}] \"lpush\" \"q\\x06\\x163\" \"a \\\"b\\\"\\n\"");
            let command = Command::parse(line.as_bytes()).expect("a line");
            assert_eq!(command.at, Timestamp::from_nanos(1_339_518_083_107_412_000));
            assert_eq!((command.db, command.name()), (3, &b"lpush"[..]));
            let arguments: Vec<_> = command.arguments().map(Cow::into_owned).collect();
            assert_eq!(arguments, [b"q\x06\x163".to_vec(), b"a \"b\"\n".to_vec()]);
        }
    }

    #[test]
    fn what_is_no_such_line_is_none() {
        for line in ["", "+OK", "1.5 [0 lua] \"x\"", "1339518083.107412 [0 lua] x", "a.000000 [0 lua] \"x\""]
        {
            assert_eq!(Command::parse(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn a_broken_argument_ends_them() {
        for rest in ["\"a\" \"b", "\"a\" \"b\\", "\"a\" \"\\x4", "\"a\" \"\\xzz\"", "\"a\" b"] {
            let line = format!("1339518083.107412 [0 lua] \"set\" {rest}");
            let command = Command::parse(line.as_bytes()).expect("a line");
            assert_eq!(command.arguments().map(Cow::into_owned).collect::<Vec<_>>(), [b"a"], "{rest}");
        }
    }

    proptest! {
        #[test]
        fn what_redis_quotes_reads_back(
            words in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..5),
        ) {
            let mut line = b"+1339518083.107412 [0 127.0.0.1:6379] \"CMD\"".to_vec();
            for word in &words {
                line.push(b' ');
                line.extend(quote(word));
            }
            let command = Command::parse(&line).expect("a line");
            prop_assert_eq!(command.arguments().map(Cow::into_owned).collect::<Vec<_>>(), words);
        }

        #[test]
        fn no_line_panics(
            start in prop_oneof![Just(&b"+1339518083.107412 [0 lua] \""[..]), Just(&b""[..])],
            rest in proptest::collection::vec(prop_oneof![Just(b'"'), Just(b'\\'), Just(b'x'), Just(b' '), any::<u8>()], 0..60),
        ) {
            let line = [start, &rest].concat();
            if let Some(command) = Command::parse(&line) {
                command.name();
                prop_assert!(command.arguments().map(|word| word.len()).sum::<usize>() <= line.len());
            }
        }
    }
}

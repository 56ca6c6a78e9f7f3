//! What the server says where it does not answer a question: its error codes
//! (<https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp>), and
//! the rows of an answer, cut out of the bytes that come.

use super::error::QueryError;
use super::limits::Limits;

/// An error of the server: its number, and what it says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Exception {
    pub code: u32,
    pub said: String,
}

impl Exception {
    /// Finds one in a text that may hold a part of a row before it. An answer that has begun
    /// ends so where the server fails in the middle.
    pub fn find(text: &str) -> Option<Self> {
        let at = text.match_indices("Code: ").map(|(at, _)| at).find(|at| text[*at..].contains("DB::"))?;
        let rest = &text[at + "Code: ".len()..];
        let end = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let code = rest[..end].parse().ok()?;
        Some(Self { code, said: shortened(rest[end..].trim_start_matches(['.', ',', ' '])) })
    }

    /// The error of the answer to a question.
    pub fn into_error(self, url: &str, what: &'static str, limits: &Limits) -> QueryError {
        let url = url.to_owned();
        let Self { code, said } = self;
        match code {
            code::AUTHENTICATION_FAILED
            | code::WRONG_PASSWORD
            | code::UNKNOWN_USER
            | code::REQUIRED_PASSWORD => QueryError::Denied { url },
            code::ACCESS_DENIED => QueryError::NotGranted { url, said },
            code::TOO_MANY_ROWS | code::TOO_MANY_ROWS_OR_BYTES => {
                QueryError::Rows { url, what, limit: limits.rows }
            }
            code::TOO_MANY_BYTES => QueryError::Bytes { url, what, limit: limits.bytes },
            code::TIMEOUT_EXCEEDED | code::TOO_SLOW => QueryError::Time { url, what, limit: limits.time },
            code::MEMORY_LIMIT_EXCEEDED => QueryError::Memory { url, what, limit: limits.memory },
            code::SETTING_CONSTRAINT_VIOLATION => QueryError::Constraint { url, said },
            code::QUOTA_EXCEEDED | code::TOO_MANY_SIMULTANEOUS_QUERIES => {
                QueryError::Busy { url, what, said }
            }
            _ => QueryError::Refused { url, what, said: format!("{said} (code {code})") },
        }
    }
}

pub(super) mod code {
    pub const TOO_MANY_ROWS: u32 = 158;
    pub const TIMEOUT_EXCEEDED: u32 = 159;
    pub const TOO_SLOW: u32 = 160;
    pub const UNKNOWN_SETTING: u32 = 115;
    pub const READONLY: u32 = 164;
    pub const UNKNOWN_USER: u32 = 192;
    pub const WRONG_PASSWORD: u32 = 193;
    pub const QUOTA_EXCEEDED: u32 = 201;
    pub const TOO_MANY_SIMULTANEOUS_QUERIES: u32 = 202;
    pub const REQUIRED_PASSWORD: u32 = 194;
    pub const MEMORY_LIMIT_EXCEEDED: u32 = 241;
    pub const TOO_MANY_BYTES: u32 = 307;
    pub const TOO_MANY_ROWS_OR_BYTES: u32 = 396;
    pub const SETTING_CONSTRAINT_VIOLATION: u32 = 452;
    pub const ACCESS_DENIED: u32 = 497;
    pub const AUTHENTICATION_FAILED: u32 = 516;
}

/// The beginning of what a server said, on one line and without its version.
pub(super) fn shortened(text: &str) -> String {
    const LONGEST: usize = 300;
    let text = text.trim();
    let text = text.strip_prefix("DB::Exception: ").unwrap_or(text);
    let text = text.split(" (version ").next().unwrap_or_default();
    let words: Vec<_> = text.split(|letter: char| letter.is_whitespace() || letter.is_control()).collect();
    let mut line = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if line.len() > LONGEST {
        line.truncate(line.floor_char_boundary(LONGEST));
        line.push('…');
    }
    line
}

/// Cuts rows out of an answer. It holds one row, and no more of it than is allowed.
#[derive(Debug)]
pub(super) struct Rows {
    held: Vec<u8>,
    longest: usize,
}

/// A row was longer than is allowed.
#[derive(Debug)]
pub(super) struct TooLong;

impl Rows {
    pub const fn new(longest: usize) -> Self {
        Self { held: Vec::new(), longest }
    }

    /// Takes the next bytes, and hands over each row that is whole with them. What `each`
    /// returns ends it.
    pub fn take<E>(
        &mut self,
        mut bytes: &[u8],
        each: &mut dyn FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Result<(), E>, TooLong> {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (row, rest) = (&bytes[..end], &bytes[end + 1..]);
            bytes = rest;
            if self.held.len() + row.len() > self.longest {
                return Err(TooLong);
            }
            let done = if self.held.is_empty() {
                hand_over(row, each)
            } else {
                self.held.extend_from_slice(row);
                let done = hand_over(&self.held, each);
                self.held.clear();
                done
            };
            if done.is_err() {
                return Ok(done);
            }
        }
        if self.held.len() + bytes.len() > self.longest {
            return Err(TooLong);
        }
        self.held.extend_from_slice(bytes);
        Ok(Ok(()))
    }

    /// Hands over a last row without a line break.
    pub fn end<E>(self, each: &mut dyn FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        hand_over(&self.held, each)
    }
}

fn hand_over<E>(row: &[u8], each: &mut dyn FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
    let row = row.strip_suffix(b"\r").unwrap_or(row);
    if row.is_empty() { Ok(()) } else { each(row) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_is_found_wherever_an_answer_breaks_off() {
        for text in [
            "Code: 241. DB::Exception: Memory limit (total) exceeded. (MEMORY_LIMIT_EXCEEDED) (version 25.1.1)",
            "[\"4bf92f\",12Code: 241. DB::Exception: Memory limit (total) exceeded. (MEMORY_LIMIT_EXCEEDED)",
            "__exception__\r\nCode: 241. DB::Exception: Memory limit (total) exceeded. (MEMORY_LIMIT_EXCEEDED)",
        ] {
            let found = Exception::find(text).expect(text);
            assert_eq!(found.code, 241, "{text}");
            assert!(found.said.starts_with("Memory limit (total) exceeded."), "{}", found.said);
            let error = found.into_error("clickhouse://h", "x", &Limits::default()).to_string();
            assert!(error.contains("--max-query-memory"), "{error}");
        }
        assert_eq!(Exception::find("<html>Code: none</html>"), None);
        assert_eq!(Exception::find("Code: 99999999999. DB::Exception: x"), None);
        let said = Exception::find("Code: 1. DB::Exception: a\u{1b}[2J\n\tb").expect("one").said;
        assert_eq!(said, "a [2J b");
        assert!(shortened(&"é".repeat(10_000)).len() < 310);
    }

    #[test]
    fn rows_are_cut_out_of_any_pieces_and_none_is_endless() {
        let text = b"[1]\n[22]\r\n\n[333]";
        for size in 1..=text.len() {
            let (mut rows, mut told) = (Rows::new(5), Vec::new());
            let mut each = |row: &[u8]| -> Result<(), ()> {
                told.push(String::from_utf8_lossy(row).into_owned());
                Ok(())
            };
            for piece in text.chunks(size) {
                rows.take(piece, &mut each).expect("short").expect("taken");
            }
            rows.end(&mut each).expect("taken");
            assert_eq!(told, ["[1]", "[22]", "[333]"], "in pieces of {size}");
        }
        let mut none = |_: &[u8]| -> Result<(), ()> { Ok(()) };
        let mut rows = Rows::new(64);
        assert!((0..100).any(|_| rows.take(b"0123456789", &mut none).is_err()));
        assert!(Rows::new(3).take(b"12345\n", &mut none).is_err());
        let mut stop = |_: &[u8]| Err("enough");
        assert_eq!(Rows::new(9).take(b"1\n2\n", &mut stop).expect("short"), Err("enough"));
    }
}

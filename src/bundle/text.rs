//! A file's text, of which it is known at which line and column it is being read.

use std::io::{self, BufRead, BufReader, Read};

/// A text that is read by lines and by bytes, whichever suits the reader of its format.
pub struct Text<'f> {
    file: BufReader<&'f mut dyn BufRead>,
    read: Position,
}

/// How far a text was read.
#[derive(Default)]
struct Position {
    /// Line feeds.
    feeds: usize,
    /// Bytes of the last line.
    column: usize,
}

impl Position {
    #[inline]
    fn pass(&mut self, read: &[u8]) {
        match read {
            [b'\n'] => (self.feeds, self.column) = (self.feeds + 1, 0),
            [_] => self.column += 1,
            _ => match memchr::memrchr(b'\n', read) {
                None => self.column += read.len(),
                Some(last) => {
                    self.feeds += memchr::memchr_iter(b'\n', read).count();
                    self.column = read.len() - last - 1;
                }
            },
        }
    }
}

impl<'f> Text<'f> {
    /// Large enough that reading byte by byte asks the file seldom.
    const BUFFER: usize = 1 << 16;

    pub fn new(file: &'f mut dyn BufRead) -> Self {
        Self { file: BufReader::with_capacity(Self::BUFFER, file), read: Position::default() }
    }

    /// The number of the line that is being read, from 1.
    pub const fn line(&self) -> usize {
        self.read.feeds + 1
    }

    /// How many bytes of the line were read.
    pub const fn column(&self) -> usize {
        self.read.column
    }

    /// Skips what separates documents; whether anything follows.
    pub fn has_more(&mut self) -> io::Result<bool> {
        loop {
            let ahead = self.fill_buf()?;
            let blanks = ahead.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            match blanks {
                _ if ahead.is_empty() => return Ok(false),
                0 => return Ok(true),
                blanks => self.consume(blanks),
            }
        }
    }

    /// Skips the rest of the line, and over lines that cannot begin a document.
    pub fn skip_to_a_document(&mut self) -> io::Result<()> {
        if self.read.column > 0 {
            self.skip_line()?;
        }
        while self.fill_buf()?.first().is_some_and(|first| !matches!(first, b'{' | b'[')) {
            self.skip_line()?;
        }
        Ok(())
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let ahead = self.fill_buf()?;
            let feed = memchr::memchr(b'\n', ahead);
            match feed {
                _ if ahead.is_empty() => return Ok(()),
                Some(at) => {
                    self.consume(at + 1);
                    return Ok(());
                }
                None => {
                    let count = ahead.len();
                    self.consume(count);
                }
            }
        }
    }
}

impl Read for Text<'_> {
    #[inline]
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(into)?;
        self.read.pass(&into[..count]);
        Ok(count)
    }
}

impl BufRead for Text<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.file.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.read.pass(&self.file.buffer()[..count]);
        self.file.consume(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_known_however_the_text_is_read() {
        let mut bytes = &b"first\n\n{\"a\": 1}\n  ]\n[2]"[..];
        let mut text = Text::new(&mut bytes);
        let mut one = [0];
        text.read_exact(&mut one).expect("memory");
        assert_eq!((text.line(), text.column()), (1, 1));
        text.skip_to_a_document().expect("memory");
        assert_eq!((text.line(), text.column()), (3, 0));
        text.read_exact(&mut [0; 4]).expect("memory");
        assert_eq!((text.line(), text.column()), (3, 4));
        text.skip_to_a_document().expect("memory");
        assert_eq!((text.line(), text.column()), (5, 0));
        text.read_exact(&mut [0; 3]).expect("memory");
        assert!(!text.has_more().expect("memory"));
    }
}

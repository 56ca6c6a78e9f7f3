//! Lines of hostile files: an endless line costs only the time to skip it.

use std::io::{self, BufRead, Read};

/// What [`next`] found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Line {
    Whole,
    /// It has more bytes than may be held.
    TooLong,
    End,
}

/// Reads the next line of at most `most` bytes, including its line feed. What is too long
/// is skipped.
pub fn next(file: &mut impl BufRead, line: &mut Vec<u8>, most: usize) -> io::Result<Line> {
    let begun = begin(file, line, most)?;
    if begun == Line::TooLong {
        *line = Vec::new();
        file.skip_until(b'\n')?;
    }
    Ok(begun)
}

/// The same, but of a line that is too long the rest is still to be read.
pub fn begin(file: &mut impl BufRead, line: &mut Vec<u8>, most: usize) -> io::Result<Line> {
    line.clear();
    let count = file.by_ref().take(most as u64).read_until(b'\n', line)?;
    if count == 0 {
        return Ok(Line::End);
    }
    if count < most || line.ends_with(b"\n") || file.fill_buf()?.is_empty() {
        return Ok(Line::Whole);
    }
    Ok(Line::TooLong)
}

/// Calls `each` with the number of every line that is not blank, counted from 1, and with
/// the line, or `None` if it is too long.
pub fn each(
    mut file: impl BufRead,
    most: usize,
    mut each: impl FnMut(usize, Option<&[u8]>),
) -> io::Result<()> {
    let mut line = Vec::new();
    for number in 1.. {
        match next(&mut file, &mut line, most)? {
            Line::Whole if line.trim_ascii().is_empty() => {}
            Line::Whole => each(number, Some(line.trim_ascii_end())),
            Line::TooLong => each(number, None),
            Line::End => break,
        }
    }
    Ok(())
}

/// The message for [`Line::TooLong`].
pub fn too_long(most: usize) -> String {
    let most = said(most);
    format!("the line has more than {most}, which is the most that is read at once: it was passed over")
}

/// Reads the rest of a file after what `text` holds already, to at most `most`
/// bytes; whether that was all of it.
pub fn rest(file: &mut impl BufRead, text: &mut Vec<u8>, most: usize) -> io::Result<bool> {
    file.by_ref().take(most.saturating_sub(text.len()) as u64).read_to_end(text)?;
    Ok(file.fill_buf()?.is_empty())
}

/// A size as people read it.
pub fn said(bytes: usize) -> String {
    match bytes >> 20 {
        0 => format!("{bytes} bytes"),
        mebibytes => format!("{mebibytes} MiB"),
    }
}

/// The message for a file that [`rest`] did not read to its end.
pub fn too_large(most: usize) -> String {
    let most = said(most);
    format!("only its first {most} were read, which is the most that is read at once")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_takes_no_other_with_it() {
        let mut file = &b"short\n12345678901\n\n1234567890\nlast"[..];
        let mut line = Vec::new();
        let mut read = |line: &mut Vec<u8>| next(&mut file, line, 11).expect("memory");
        assert_eq!((read(&mut line), &line[..]), (Line::Whole, &b"short\n"[..]));
        assert_eq!((read(&mut line), &line[..]), (Line::TooLong, &b""[..]));
        assert_eq!((read(&mut line), &line[..]), (Line::Whole, &b"\n"[..]));
        assert_eq!((read(&mut line), &line[..]), (Line::Whole, &b"1234567890\n"[..]));
        assert_eq!((read(&mut line), &line[..]), (Line::Whole, &b"last"[..]));
        assert_eq!(read(&mut line), Line::End);
    }

    #[test]
    fn a_last_line_of_just_the_limit_is_whole() {
        let mut line = Vec::new();
        assert_eq!(next(&mut &b"12345"[..], &mut line, 5).expect("memory"), Line::Whole);
        assert_eq!(line, b"12345");
    }
}

//! The content of a file, decompressed: through as many layers of gzip and zstd as make sense.

use std::cell::{Cell, RefCell};
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;

use super::kind::{BEGINNING, BYTE_ORDER_MARK, Kind, sniff, window_within};
use super::store::BytesRead;

/// How many layers of compression are removed. A rotated log that was compressed again has two;
/// each further one multiplies how far a few bytes can grow.
const LAYERS: usize = 2;

/// A file's content, and what it is.
pub struct Content {
    pub kind: Kind,
    pub bytes: Box<dyn BufRead>,
    broken: Rc<RefCell<Option<String>>>,
    /// How much of the file was read.
    pub read: Rc<Progress>,
}

/// How much of a file was read, by now.
#[derive(Default)]
pub struct Progress {
    stored: Cell<u64>,
    /// What the last layer of compression gave; `None` where there is none.
    decompressed: Cell<Option<u64>>,
}

impl Progress {
    pub fn bytes(&self) -> BytesRead {
        let stored = self.stored.get();
        BytesRead { stored, decompressed: self.decompressed.get().unwrap_or(stored) }
    }
}

impl Content {
    /// Looks at the beginning of a file, and decompresses it. `longest` is how many bytes of it
    /// may be held at once.
    ///
    /// # Errors
    ///
    /// What reading the beginning says.
    pub fn of(file: impl Read + 'static, longest: usize) -> io::Result<Self> {
        let read = Rc::new(Progress::default());
        let file = Counted { file, read: Rc::clone(&read) };
        let mut bytes: Box<dyn BufRead> = Box::new(BufReader::with_capacity(1 << 16, file));
        let broken = Rc::new(RefCell::new(None));
        let mut layers = 0;
        loop {
            // A pipe gives its beginning in pieces, and only once.
            let mut start = Vec::new();
            (&mut bytes).take(BEGINNING).read_to_end(&mut start)?;
            if start.starts_with(BYTE_ORDER_MARK) {
                start.drain(..BYTE_ORDER_MARK.len());
            }
            let kind = sniff(&start);
            bytes = Box::new(Cursor::new(start).chain(bytes));
            let decoder: Box<dyn Read> = match kind {
                Kind::Gzip if layers < LAYERS => Box::new(MultiGzDecoder::new(bytes)),
                Kind::Zstd if layers < LAYERS => {
                    let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes)?;
                    decoder.window_log_max(window_within(longest))?;
                    Box::new(decoder)
                }
                _ => return Ok(Self { kind, bytes, broken, read }),
            };
            layers += 1;
            let what = if kind == Kind::Gzip { "gzip" } else { "zstd" };
            let unpacked =
                Unpacked { decoder, what, given: 0, read: Rc::clone(&read), broken: Rc::clone(&broken) };
            bytes = Box::new(BufReader::with_capacity(1 << 17, unpacked));
        }
    }

    /// What is wrong with the compression, if it broke off. What came before was read.
    pub fn broken(&self) -> Option<String> {
        self.broken.borrow().clone()
    }
}

/// A file of which it is counted how much was read.
struct Counted<F> {
    file: F,
    read: Rc<Progress>,
}

impl<F: Read> Read for Counted<F> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(into)?;
        self.read.stored.set(self.read.stored.get() + count as u64);
        Ok(count)
    }
}

/// The output of a decoder. If the decoder fails, the output ends, and the error is kept.
struct Unpacked {
    decoder: Box<dyn Read>,
    what: &'static str,
    given: u64,
    read: Rc<Progress>,
    broken: Rc<RefCell<Option<String>>>,
}

impl Read for Unpacked {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.broken.borrow().is_some() {
            return Ok(0);
        }
        match self.decoder.read(into) {
            Ok(count) => {
                self.given += count as u64;
                // The layer around another one comes last.
                self.read.decompressed.set(Some(self.given));
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let why = match error.kind() {
                    io::ErrorKind::UnexpectedEof => "it ends too early".to_owned(),
                    _ => error.to_string(),
                };
                let text = format!("broken {} after {} bytes of what it holds: {why}", self.what, self.given);
                self.broken.replace(Some(text));
                Ok(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    fn read(packed: Vec<u8>) -> (Kind, String, Option<String>) {
        let mut content = Content::of(Cursor::new(packed), 1 << 20).expect("memory");
        let mut bytes = Vec::new();
        content.bytes.read_to_end(&mut bytes).expect("memory");
        (content.kind.clone(), String::from_utf8_lossy(&bytes).into_owned(), content.broken())
    }

    #[test]
    fn layers_are_taken_off_and_frames_go_on() {
        let request = r#"{"resourceSpans": []}"#;
        let zstd = |text: &[u8]| zstd::encode_all(text, 1).expect("memory");
        let two_frames = [zstd(request.as_bytes()), zstd(b"\n{}")].concat();
        let whole = (Kind::OtlpJson, format!("{request}\n{{}}"), None);
        assert_eq!(read(two_frames.clone()), whole);
        assert_eq!(read(gzip(&two_frames)), whole);
        assert_eq!(read([gzip(request.as_bytes()), gzip(b"\n{}")].concat()), whole);
        // A bomb of many layers stays compressed.
        assert_eq!(read(gzip(&gzip(&gzip(b"{}")))).0, Kind::Gzip);
    }

    #[test]
    fn progress_is_of_what_lies_there_and_of_what_it_holds() {
        let text = r#"{"resourceSpans": []}"#.repeat(10_000);
        let once = zstd::encode_all(text.as_bytes(), 1).expect("memory");
        for file in [text.clone().into_bytes(), gzip(text.as_bytes()), gzip(&once)] {
            let stored = file.len() as u64;
            let mut content = Content::of(Cursor::new(file), 1 << 20).expect("memory");
            io::copy(&mut content.bytes, &mut io::sink()).expect("memory");
            assert_eq!(content.read.bytes(), BytesRead { stored, decompressed: text.len() as u64 });
        }
    }

    #[test]
    fn what_is_cut_gives_what_came_before() {
        let text = r#"{"resourceSpans": []}"#.repeat(10_000);
        for mut packed in [gzip(text.as_bytes()), zstd::encode_all(text.as_bytes(), 1).expect("memory")] {
            packed.truncate(packed.len() - 8);
            let (kind, read, broken) = read(packed);
            assert_eq!(kind, Kind::OtlpJson);
            assert!(text.starts_with(&read));
            assert!(broken.expect("broken").ends_with("ends too early"));
        }
    }
}

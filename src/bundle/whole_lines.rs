//! A file that is written line by line, each one complete or not at all. A line that finds
//! no room, on the disk or within the limit, is removed again.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

/// The file, and what waits to be written to it.
#[derive(Debug)]
pub struct WholeLines {
    file: File,
    buffer: Vec<u8>,
    /// How far the file is written, and how far its lines are complete. The end of the last
    /// complete line may still be in the buffer.
    written: u64,
    whole: u64,
}

impl WholeLines {
    const BUFFER: usize = 64 << 10;

    /// For an empty file.
    pub const fn new(file: File) -> Self {
        Self { file, buffer: Vec::new(), written: 0, whole: 0 }
    }

    /// Writes a line of at most `room` bytes, and returns its length; `None` if it is
    /// longer.
    ///
    /// # Errors
    ///
    /// The error of the disk. Nothing is left of the line.
    pub fn line(
        &mut self,
        room: u64,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<Option<u64>> {
        let mut bounded = Bounded { lines: self, room, is_full: false };
        let result = write(&mut bounded);
        let is_full = bounded.is_full;
        match result {
            Ok(()) => {
                let before = std::mem::replace(&mut self.whole, self.written + self.buffer.len() as u64);
                Ok(Some(self.whole - before))
            }
            Err(error) => {
                self.take_back()?;
                if is_full { Ok(None) } else { Err(error) }
            }
        }
    }

    /// Removes everything after the last complete line.
    fn take_back(&mut self) -> io::Result<()> {
        match usize::try_from(self.whole.saturating_sub(self.written)) {
            Ok(waiting) if self.whole >= self.written => self.buffer.truncate(waiting),
            _ => {
                self.buffer.clear();
                self.written = self.whole;
            }
        }
        self.cut()
    }

    /// A write that failed may have left a part behind.
    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.written)?;
        self.file.seek(SeekFrom::Start(self.written))?;
        Ok(())
    }

    /// Writes the buffer to the disk.
    ///
    /// # Errors
    ///
    /// The error of the disk. The data stays in the buffer, so this may be tried again.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.file.write_all(&self.buffer) {
            self.cut()?;
            return Err(error);
        }
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

/// A line that is being written.
struct Bounded<'l> {
    lines: &'l mut WholeLines,
    room: u64,
    is_full: bool,
}

impl Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(room) = self.room.checked_sub(bytes.len() as u64) else {
            self.is_full = true;
            return Err(io::Error::other("no room is left for the line"));
        };
        self.room = room;
        if self.lines.buffer.len() >= WholeLines::BUFFER {
            self.lines.flush()?;
        }
        self.lines.buffer.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_line_that_finds_no_room_leaves_nothing_behind() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("lines");
        let mut lines = WholeLines::new(File::create(&path).expect("the folder is ours"));
        let (short, long) = ("a\n".repeat(10), "b".repeat(1 << 10));
        let mut expected = String::new();
        for count in [1, 3, 200] {
            let written = lines.line(20, |out| out.write_all(short.as_bytes())).expect("disk");
            assert_eq!(written, Some(20));
            expected.push_str(&short);
            // The last one is longer than the buffer, so a part of it was written already.
            let room = 1_000 * count;
            let failed = lines.line(room, |out| (0..=count).try_for_each(|_| out.write_all(long.as_bytes())));
            assert_eq!(failed.expect("disk"), None);
            lines.flush().expect("disk");
            assert_eq!(fs::read_to_string(&path).expect("it is there"), expected);
        }
    }

    #[test]
    fn a_full_disk_takes_back_the_line_that_found_it() {
        let file = File::options().write(true).open("/dev/full").expect("Linux has it");
        let mut lines = WholeLines::new(file);
        let line = [b'x'; 1 << 10];
        let mut count = 0;
        // A device cannot be truncated, which is an error too.
        while lines.line(1 << 20, |out| out.write_all(&line)).is_ok() {
            count += 1;
            assert!(count < 1_000, "the disk is full");
        }
        assert_eq!(count, 64);
    }
}

//! Writes a bundle, which `tracelink diagnose FOLDER` reads to the same report.

use std::collections::hash_map::RandomState;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::receiver_log::{beginning_line, end_line};
use super::snapshot_writer::REDACTED;
use super::spans::{Export, SavedParts};
use super::whole_lines::WholeLines;
use crate::model::{Blame, Blamed, Timestamp};
use crate::wire::snapshot::{Head, KeyLine, write_head, write_key, write_overheard, write_overheard_head};

/// What every bundle has: its spans, and how each request ended.
const FILES: [&str; 2] = ["spans.jsonl", "receiver.jsonl"];

/// Why a bundle cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error("cannot make the folder {}", folder.display())]
    Folder { folder: PathBuf, source: io::Error },
    #[error("cannot write {}: --save wants a folder without a bundle in it", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("cannot write the bundle {}", folder.display())]
    Bundle { folder: PathBuf, source: io::Error },
}

impl Blamed for WriteError {
    fn blame(&self) -> Blame {
        Blame::Environment
    }
}

/// Whether something was written. It is not if it exceeds the limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Written {
    Whole,
    NoRoom,
}

/// A bundle that is being written. Each call may wait for the disk, and writes everything
/// that it is given or nothing.
///
/// It begins with a line that says so, and ends with one. A bundle without its last line
/// was cut off.
#[derive(Debug)]
pub struct BundleWriter {
    folder: PathBuf,
    spans: WholeLines,
    receiver: WholeLines,
    /// If `MONITOR` showed anything.
    overheard: Option<WholeLines>,
    parts: SavedParts,
    key: RandomState,
    /// How many bytes may still be written.
    room: u64,
    has_begun: bool,
}

impl BundleWriter {
    /// Makes the folder, which must not contain a bundle yet. At most `room` bytes are
    /// written, and one more line at the end.
    ///
    /// # Errors
    ///
    /// [`WriteError`] if the folder cannot be made, or contains a bundle.
    pub fn open(folder: &Path, parts: SavedParts, room: u64) -> Result<Self, WriteError> {
        fs::create_dir_all(folder)
            .map_err(|source| WriteError::Folder { folder: folder.to_owned(), source })?;
        let create = |name: &str| {
            let path = folder.join(name);
            // An empty one was left by an interrupted start.
            let is_empty = path.metadata().is_ok_and(|file| file.is_file() && file.len() == 0);
            let created = if is_empty { File::create(&path) } else { File::create_new(&path) };
            created.map(WholeLines::new).map_err(|source| WriteError::File { path, source })
        };
        let [spans, receiver] = FILES;
        Ok(Self {
            spans: create(spans)?,
            receiver: create(receiver)?,
            overheard: None,
            folder: folder.to_owned(),
            parts,
            key: RandomState::new(),
            room,
            has_begun: false,
        })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes the first line, before anything else is on the disk.
    fn begin(&mut self) -> io::Result<()> {
        if !self.has_begun {
            let line = beginning_line(self.parts);
            self.receiver.line(u64::MAX, |out| writeln!(out, "{line}"))?;
            self.receiver.flush()?;
            self.has_begun = true;
        }
        Ok(())
    }

    fn took(&mut self, bytes: Option<u64>) -> Written {
        match bytes {
            Some(bytes) => {
                self.room = self.room.saturating_sub(bytes);
                Written::Whole
            }
            None => Written::NoRoom,
        }
    }

    /// Writes a request's spans.
    ///
    /// # Errors
    ///
    /// The error of the disk.
    pub fn spans(&mut self, export: &Export) -> io::Result<Written> {
        self.begin()?;
        let Self { spans, parts, key, room, .. } = self;
        let bytes = spans.line(*room, |out| export.write(*parts, key, out))?;
        Ok(self.took(bytes))
    }

    /// Writes a line of `receiver.jsonl`.
    ///
    /// # Errors
    ///
    /// The error of the disk.
    pub fn receiver(&mut self, line: &str) -> io::Result<Written> {
        self.begin()?;
        let bytes = self.receiver.line(self.room, |out| writeln!(out, "{line}"))?;
        Ok(self.took(bytes))
    }

    /// Writes a look at a broker, without private data. The number is for the name of its
    /// file.
    ///
    /// # Errors
    ///
    /// The error of the disk.
    pub fn snapshot(
        &mut self,
        number: u64,
        broker: &str,
        at: Timestamp,
        complete: bool,
        lines: &[KeyLine<'_>],
    ) -> io::Result<Written> {
        self.begin()?;
        let path = self.folder.join(format!("redis.{number:05}.jsonl"));
        // Whoever reads the folder meanwhile sees a whole look or none.
        let unfinished = path.with_added_extension("part");
        let mut file = WholeLines::new(File::create(&unfinished)?);
        let head = Head { captured_at: at, stage: None, broker: Some(broker.to_owned()), complete };
        // A look is written as a whole: a part of it would show an absence.
        let written = file.line(self.room, |out| {
            write_head(out, &head)?;
            lines.iter().try_for_each(|line| write_key(out, line, &REDACTED))
        });
        let written = written.and_then(|bytes| file.flush().map(|()| bytes));
        let written = match written {
            Ok(Some(bytes)) => fs::rename(&unfinished, &path).map(|()| Some(bytes)),
            not_written => not_written,
        };
        if !matches!(written, Ok(Some(_))) {
            fs::remove_file(&unfinished)?;
        }
        written.map(|bytes| self.took(bytes))
    }

    /// Writes what `MONITOR` showed at a time, without private data.
    ///
    /// # Errors
    ///
    /// The error of the disk.
    pub fn overheard(&mut self, broker: &str, at: Timestamp, line: &KeyLine<'_>) -> io::Result<Written> {
        self.begin()?;
        let out = match &mut self.overheard {
            Some(out) => out,
            None => {
                // Its name sorts after those of the looks.
                let file = File::create(self.folder.join("redis.overheard.jsonl"))?;
                let mut lines = WholeLines::new(file);
                lines.line(u64::MAX, |out| write_overheard_head(out, broker))?;
                self.overheard.insert(lines)
            }
        };
        let bytes = out.line(self.room, |out| write_overheard(out, at, line, &REDACTED))?;
        Ok(self.took(bytes))
    }

    /// Writes the buffer to the disk.
    ///
    /// # Errors
    ///
    /// The error of the disk.
    pub fn flush(&mut self) -> io::Result<()> {
        self.overheard.iter_mut().try_for_each(WholeLines::flush)?;
        self.spans.flush()?;
        self.receiver.flush()
    }

    /// Writes the rest and the last line: this many requests and looks are not in the
    /// bundle.
    ///
    /// # Errors
    ///
    /// The error of the disk. Without its last line the bundle counts as cut off.
    pub fn finish(&mut self, lost: u64) -> io::Result<()> {
        self.flush()?;
        if self.has_begun {
            self.receiver.line(u64::MAX, |out| writeln!(out, "{}", end_line(lost)))?;
        }
        self.receiver.flush()
    }

    /// Removes what [`BundleWriter::open`] made in a folder, if nothing was written to it.
    pub fn discard(folder: &Path) {
        for name in FILES {
            let path = folder.join(name);
            if path.metadata().is_ok_and(|file| file.len() == 0) {
                let _ = fs::remove_file(path);
            }
        }
    }
}

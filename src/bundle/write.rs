//! Writes a bundle, which `tracelink diagnose FOLDER` reads to the same report.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::snapshot_writer::{SnapshotWriter, redacted};
use super::spans::Export;
use crate::model::Timestamp;
use crate::wire::snapshot::{KeyLine, write_overheard, write_overheard_head};

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

/// A bundle that is written. Each call may wait for the disk.
#[derive(Debug)]
pub struct BundleWriter {
    folder: PathBuf,
    spans: BufWriter<File>,
    receiver: BufWriter<File>,
    /// Where anything was overheard.
    overheard: Option<BufWriter<File>>,
}

impl BundleWriter {
    /// Makes the folder, which must hold no bundle yet.
    ///
    /// # Errors
    ///
    /// [`WriteError`], where the folder cannot be made, or holds one.
    pub fn open(folder: &Path) -> Result<Self, WriteError> {
        fs::create_dir_all(folder)
            .map_err(|source| WriteError::Folder { folder: folder.to_owned(), source })?;
        let create = |name: &str| {
            let path = folder.join(name);
            // An empty one is what a start that was broken off has left.
            let is_empty = path.metadata().is_ok_and(|file| file.is_file() && file.len() == 0);
            let created = if is_empty { File::create(&path) } else { File::create_new(&path) };
            created.map_err(|source| WriteError::File { path, source })
        };
        let [spans, receiver] = FILES;
        Ok(Self {
            spans: BufWriter::new(create(spans)?),
            receiver: BufWriter::new(create(receiver)?),
            overheard: None,
            folder: folder.to_owned(),
        })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes a request's spans. Says `false` where OTLP/JSON cannot hold them.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn spans(&mut self, export: &Export) -> io::Result<bool> {
        let Some(line) = export.line() else { return Ok(false) };
        self.spans.write_all(&line)?;
        self.spans.write_all(b"\n")?;
        Ok(true)
    }

    /// Writes a line of `receiver.jsonl`.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn receiver(&mut self, line: &str) -> io::Result<()> {
        self.receiver.write_all(line.as_bytes())?;
        self.receiver.write_all(b"\n")
    }

    /// Writes a look at a broker, bodies redacted. The number is for the name of
    /// its file.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn snapshot(
        &mut self,
        number: u64,
        broker: &str,
        at: Timestamp,
        complete: bool,
        lines: &[KeyLine<'_>],
    ) -> io::Result<()> {
        let file = File::create(self.folder.join(format!("redis.{number:05}.jsonl")))?;
        let mut snapshot = SnapshotWriter::new(Box::new(BufWriter::new(file)), broker, at, complete, false)?;
        lines.iter().try_for_each(|line| snapshot.key(line))?;
        snapshot.finish()
    }

    /// Writes what was overheard at a time, bodies redacted.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn overheard(&mut self, broker: &str, at: Timestamp, line: &KeyLine<'_>) -> io::Result<()> {
        let out = match &mut self.overheard {
            Some(out) => out,
            None => {
                // After those of the looks, by its name.
                let file = File::create(self.folder.join("redis.overheard.jsonl"))?;
                let out = self.overheard.insert(BufWriter::new(file));
                write_overheard_head(out, broker)?;
                out
            }
        };
        write_overheard(out, at, &redacted(line))
    }

    /// Writes the rest.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn finish(&mut self) -> io::Result<()> {
        self.overheard.iter_mut().try_for_each(Write::flush)?;
        self.spans.flush()?;
        self.receiver.flush()
    }

    /// Takes away what [`BundleWriter::open`] made in a folder, where nothing was
    /// written to it.
    pub fn discard(folder: &Path) {
        for name in FILES {
            let path = folder.join(name);
            if path.metadata().is_ok_and(|file| file.len() == 0) {
                let _ = fs::remove_file(path);
            }
        }
    }
}

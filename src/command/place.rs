//! Where an output goes: standard output, or a file that takes no colour.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anstream::{StripStream, stdout};
use anyhow::Context;

use crate::cli::Destination;

/// The message for a full disk behind standard output, for example.
pub const STDOUT: &str = "cannot write to standard output";

/// A place to write to.
pub enum Place {
    Stdout(BufWriter<anstream::Stdout>),
    /// A file that grows while things happen.
    Stream(Stream),
    /// A file that is replaced as a whole.
    Whole(Whole),
}

impl Place {
    /// Checks that the place can be written to, without changing it.
    ///
    /// # Errors
    ///
    /// Why it cannot be written to, with its name.
    pub fn open(destination: &Destination, streams: bool) -> anyhow::Result<Self> {
        let Destination::File(path) = destination else {
            return Ok(Self::Stdout(BufWriter::new(stdout())));
        };
        let opened = if streams || is_special(path) {
            Stream::open(path).map(Self::Stream)
        } else {
            Whole::open(path).map(Self::Whole)
        };
        opened.with_context(|| cannot_write(path))
    }

    pub fn is_stdout(&self) -> bool {
        matches!(self, Self::Stdout(_))
    }

    /// Writes what `write` produces, and flushes it at once.
    ///
    /// # Errors
    ///
    /// What the place says, with its name.
    pub fn write(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> anyhow::Result<()> {
        match self {
            Self::Stdout(out) => write(out).and_then(|()| out.flush()).context(STDOUT),
            Self::Stream(stream) => stream.write(write).with_context(|| cannot_write(&stream.path)),
            Self::Whole(whole) => whole.write(write).with_context(|| cannot_write(&whole.path)),
        }
    }
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

/// Whether it is a pipe or a device. Those cannot be replaced like a file.
fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|at| !at.is_file() && !at.is_dir())
}

/// A file that is written as things happen. Its old content goes with the first write, so
/// that a run that ends before that changes nothing.
pub struct Stream {
    path: PathBuf,
    state: State,
}

enum State {
    Opened {
        file: Option<File>,
        /// Whether it did not exist before.
        is_new: bool,
    },
    Begun(BufWriter<StripStream<File>>),
}

impl Stream {
    fn open(path: &Path) -> io::Result<Self> {
        let new = OpenOptions::new().write(true).create_new(true).open(path);
        let (file, is_new) = match new {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                (OpenOptions::new().write(true).open(path)?, false)
            }
            new => (new?, true),
        };
        Ok(Self { path: path.to_owned(), state: State::Opened { file: Some(file), is_new } })
    }

    fn write(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        if let State::Opened { file, .. } = &mut self.state {
            let file = file.take().expect("a file is taken once, and then it is begun");
            if file.metadata()?.is_file() {
                file.set_len(0)?;
            }
            self.state = State::Begun(BufWriter::new(StripStream::new(file)));
        }
        let State::Begun(out) = &mut self.state else { unreachable!("it was begun above") };
        write(out).and_then(|()| out.flush())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if matches!(self.state, State::Opened { is_new: true, .. }) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A file that is written next to its place, and moved there when it is complete.
pub struct Whole {
    path: PathBuf,
    /// The file itself, if the path is a link.
    target: PathBuf,
    beside: PathBuf,
}

impl Whole {
    /// Tries to write next to the file, and leaves nothing there: a process that is killed
    /// could not remove it.
    fn open(path: &Path) -> io::Result<Self> {
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if target.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if target.exists() {
            OpenOptions::new().write(true).open(&target)?;
        }
        let name = target.file_name().ok_or(io::ErrorKind::InvalidFilename)?.to_string_lossy();
        let beside = target.with_file_name(format!(".{name}.{}.part", std::process::id()));
        let whole = Self { path: path.to_owned(), target, beside };
        whole.create()?;
        fs::remove_file(&whole.beside)?;
        Ok(whole)
    }

    fn create(&self) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).open(&self.beside)
    }

    fn write(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        let written = self.create().and_then(|file| {
            if let Ok(before) = fs::metadata(&self.target) {
                file.set_permissions(before.permissions())?;
            }
            let mut out = BufWriter::new(StripStream::new(file));
            write(&mut out)?;
            out.flush()?;
            fs::rename(&self.beside, &self.target)
        });
        if written.is_err() {
            let _ = fs::remove_file(&self.beside);
        }
        written
    }
}

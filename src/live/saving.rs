//! `--save`: what comes in is written to a bundle.
//!
//! Writing waits for a disk, so a thread of its own does it; what waits for it
//! is bounded, and what did not fit is counted and told.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::bundle::{
    BundleWriter, Export, RequestEnd, WriteError, receiver_line, request_line, unsettled_line,
};
use crate::evidence::{ReceiverLog, Unsettled};
use crate::model::Timestamp;
use crate::wire::snapshot::KeyLine;

/// Writes all that comes to a bundle, on a thread of its own.
#[derive(Debug)]
pub struct Saving {
    folder: PathBuf,
    jobs: Sender<Job>,
    waiting: Arc<AtomicUsize>,
    /// How many bytes may wait for the disk.
    limit: usize,
    lost: Arc<Lost>,
    snapshots: AtomicU64,
    writer: Mutex<Option<JoinHandle<io::Result<()>>>>,
}

/// What could not be saved.
#[derive(Default, Debug)]
struct Lost {
    /// More was waiting for the disk than may wait.
    waiting: AtomicU64,
    /// Requests that are taken, with what is no text in them replaced, and that
    /// OTLP/JSON cannot hold.
    unwritable: AtomicU64,
    /// Looks at the broker past the last that is kept.
    looks: AtomicU64,
}

impl Lost {
    /// What there is to say of it, a sentence each.
    fn told(&self) -> Vec<String> {
        let count = |lost: &AtomicU64| Some(lost.load(Ordering::Relaxed)).filter(|lost| *lost > 0);
        let waiting = count(&self.waiting)
            .map(|lost| format!("{lost} requests or looks were not kept: the disk was too slow"));
        let unwritable = count(&self.unwritable)
            .map(|lost| format!("{lost} requests were not kept: they hold texts that are no UTF-8"));
        let looks = count(&self.looks).map(|lost| {
            format!("{lost} looks at the broker were not kept: {} are the most", Saving::SNAPSHOTS)
        });
        [waiting, unwritable, looks].into_iter().flatten().collect()
    }
}

enum Job {
    Spans(Export),
    Receiver(String),
    Snapshot { number: u64, broker: String, at: Timestamp, complete: bool, lines: Vec<KeyLine<'static>> },
    Overheard { broker: String, at: Timestamp, line: KeyLine<'static> },
    End,
}

impl Job {
    /// How many bytes it holds.
    fn weight(&self) -> usize {
        match self {
            Self::Spans(export) => size_of::<Self>() + export.bytes(),
            Self::Receiver(line) => size_of::<Self>() + line.len(),
            Self::Snapshot { lines, .. } => lines.iter().map(KeyLine::weight).sum(),
            Self::Overheard { line, .. } => line.weight(),
            Self::End => 0,
        }
    }
}

impl Saving {
    /// How many looks at a broker are kept.
    const SNAPSHOTS: u64 = 10_000;

    /// Makes the folder, which must hold no bundle yet. At most `limit` bytes wait
    /// for the disk.
    ///
    /// # Errors
    ///
    /// [`WriteError`], where the folder cannot be made, or holds one.
    pub fn start(folder: &Path, limit: usize) -> Result<Self, WriteError> {
        let bundle = BundleWriter::open(folder)?;
        let (jobs, queue) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let lost = Arc::new(Lost::default());
        let work = Work { bundle, waiting: Arc::clone(&waiting), lost: Arc::clone(&lost) };
        let writer = thread::spawn(move || work.all(&queue));
        Ok(Self {
            folder: folder.to_owned(),
            jobs,
            waiting,
            limit,
            lost,
            snapshots: AtomicU64::new(0),
            writer: Mutex::new(Some(writer)),
        })
    }

    fn offer(&self, job: Job) {
        let bytes = job.weight();
        if self.waiting.load(Ordering::Relaxed).saturating_add(bytes) > self.limit {
            self.lost.waiting.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.waiting.fetch_add(bytes, Ordering::Relaxed);
        if self.jobs.send(job).is_err() {
            self.lost.waiting.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Saves a request's spans.
    pub fn spans(&self, export: Export) {
        self.offer(Job::Spans(export));
    }

    /// Saves how a request ended.
    pub fn request(&self, end: &RequestEnd<'_>) {
        self.offer(Job::Receiver(request_line(end)));
    }

    /// Saves how long the receiver was up, and where, so that what it did not
    /// hear can be judged again; and what it ended too early for after waiting for
    /// `settle`.
    pub fn receiver(&self, receiver: &ReceiverLog, settle: Duration, unsettled: &Unsettled) {
        let Some(line) = receiver_line(receiver, settle) else { return };
        self.offer(Job::Receiver(line));
        let mut units: Vec<_> = unsettled.units().collect();
        units.sort_unstable();
        units.iter().for_each(|unit| self.offer(Job::Receiver(unsettled_line(unit))));
    }

    /// Saves a look at the broker.
    pub fn snapshot(&self, broker: &str, at: Timestamp, complete: bool, lines: Vec<KeyLine<'static>>) {
        let number = self.snapshots.fetch_add(1, Ordering::Relaxed);
        if number >= Self::SNAPSHOTS {
            self.lost.looks.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.offer(Job::Snapshot { number, broker: broker.to_owned(), at, complete, lines });
    }

    /// Saves what was overheard at a time.
    pub fn overheard(&self, broker: &str, at: Timestamp, line: KeyLine<'static>) {
        self.offer(Job::Overheard { broker: broker.to_owned(), at, line });
    }

    /// How many requests and looks were not saved.
    pub fn not_saved(&self) -> u64 {
        let Lost { waiting, unwritable, looks } = &*self.lost;
        [waiting, unwritable, looks].iter().map(|lost| lost.load(Ordering::Relaxed)).sum()
    }

    /// Takes away what [`Saving::start`] made, where nothing was saved.
    pub fn discard(&self) {
        let _ = self.close();
        BundleWriter::discard(&self.folder);
    }

    /// Writes what waits, and gives a sentence on each kind of thing that could
    /// not be saved.
    ///
    /// # Errors
    ///
    /// [`WriteError::Bundle`], where the disk did not take all of it.
    pub fn close(&self) -> Result<Vec<String>, WriteError> {
        let _ = self.jobs.send(Job::End);
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let written =
            writer.map(|writer| writer.join().unwrap_or_else(|cause| std::panic::resume_unwind(cause)));
        let failed = |source| WriteError::Bundle { folder: self.folder.clone(), source };
        written.transpose().map_err(failed)?;
        Ok(self.lost.told())
    }
}

/// What the thread has.
struct Work {
    bundle: BundleWriter,
    waiting: Arc<AtomicUsize>,
    lost: Arc<Lost>,
}

impl Work {
    fn all(mut self, queue: &Receiver<Job>) -> io::Result<()> {
        for job in queue {
            self.waiting.fetch_sub(job.weight(), Ordering::Relaxed);
            match job {
                Job::Spans(export) => {
                    if !self.bundle.spans(&export)? {
                        self.lost.unwritable.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Job::Receiver(line) => self.bundle.receiver(&line)?,
                Job::Snapshot { number, broker, at, complete, lines } => {
                    self.bundle.snapshot(number, &broker, at, complete, &lines)?;
                }
                Job::Overheard { broker, at, line } => self.bundle.overheard(&broker, at, &line)?,
                Job::End => break,
            }
        }
        self.bundle.finish()
    }
}

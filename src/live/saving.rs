//! `--save`: writes the incoming requests and looks to a bundle.
//!
//! Writing waits for a disk, so a separate thread does it. The queue of that thread is
//! bounded. What does not fit is counted and reported.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytesize::ByteSize;

use super::notice::{SessionNotice, SessionNotices};
use crate::bundle::{
    BundleWriter, Export, RequestEnd, SavedParts, WriteError, Written, receiver_line, request_line,
    unsettled_line,
};
use crate::evidence::{ReceiverLog, Unsettled};
use crate::model::Timestamp;
use crate::wire::snapshot::KeyLine;

/// Which parts are saved, and at most how many bytes.
#[derive(Clone, Copy, Debug)]
pub struct SaveOptions {
    pub parts: SavedParts,
    pub most: u64,
}

/// Writes to a bundle, on a thread of its own.
#[derive(Debug)]
pub struct Saving {
    folder: PathBuf,
    options: SaveOptions,
    jobs: Sender<Job>,
    waiting: Arc<AtomicUsize>,
    /// How many bytes may wait for the disk.
    limit: usize,
    lost: Arc<Lost>,
    snapshots: AtomicU64,
    writer: Mutex<Option<JoinHandle<io::Result<()>>>>,
}

/// Counts what could not be saved.
#[derive(Default, Debug)]
struct Lost {
    /// The queue for the disk was full.
    waiting: AtomicU64,
    /// `--save-limit` was reached.
    room: AtomicU64,
    /// The disk refused it.
    disk: AtomicU64,
    /// Looks at the broker beyond the limit.
    looks: AtomicU64,
}

impl Lost {
    fn all(&self) -> u64 {
        let Self { waiting, room, disk, looks } = self;
        [waiting, room, disk, looks].iter().map(|lost| lost.load(Ordering::Relaxed)).sum()
    }

    /// The messages about it, one sentence each.
    fn told(&self, most: u64) -> Vec<String> {
        let count = |lost: &AtomicU64| Some(lost.load(Ordering::Relaxed)).filter(|lost| *lost > 0);
        let waiting = count(&self.waiting)
            .map(|lost| format!("{lost} requests or looks were not saved: the disk was too slow"));
        let room = count(&self.room).map(|lost| {
            let most = ByteSize(most);
            format!("{lost} requests or looks were not saved: --save-limit {most} was reached")
        });
        let disk = count(&self.disk)
            .map(|lost| format!("{lost} requests or looks were not saved: the disk did not take them"));
        let looks = count(&self.looks).map(|lost| {
            format!("{lost} looks at the broker were not saved: {} are the most", Saving::SNAPSHOTS)
        });
        [waiting, room, disk, looks].into_iter().flatten().collect()
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

    /// Makes the folder, which must not contain a bundle yet. At most `limit` bytes wait
    /// for the disk.
    ///
    /// # Errors
    ///
    /// [`WriteError`] if the folder cannot be made, or contains a bundle.
    pub fn start(
        folder: &Path,
        limit: usize,
        options: SaveOptions,
        notices: Arc<dyn SessionNotices>,
    ) -> Result<Self, WriteError> {
        let bundle = BundleWriter::open(folder, options.parts, options.most)?;
        let (jobs, queue) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let lost = Arc::new(Lost::default());
        let work = Work {
            bundle,
            waiting: Arc::clone(&waiting),
            lost: Arc::clone(&lost),
            most: options.most,
            notices,
            is_full: false,
            failed: None,
        };
        let writer = thread::spawn(move || work.all(&queue));
        Ok(Self {
            folder: folder.to_owned(),
            options,
            jobs,
            waiting,
            limit,
            lost,
            snapshots: AtomicU64::new(0),
            writer: Mutex::new(Some(writer)),
        })
    }

    /// Says what is saved and what is not, for the user who starts it.
    pub fn about(&self) -> String {
        let SaveOptions { parts, most } = self.options;
        let what = match parts {
            SavedParts::WhatIsRead => {
                "what diagnoses read, redacted: no other attributes, no messages of exceptions, \
                 no arguments (--save-attributes keeps attributes and messages of spans)"
            }
            SavedParts::All => {
                "spans with all their attributes, events and messages, which may be private; \
                 messages of queues are redacted"
            }
        };
        format!("saving to {}: {what}; at most {}", self.folder.display(), ByteSize(most))
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

    /// Waits for the disk instead of losing the line: it is the last one.
    fn put(&self, job: Job) {
        const MOMENT: Duration = Duration::from_millis(1);
        let bytes = job.weight();
        while self.waiting.load(Ordering::Relaxed) > 0
            && self.waiting.load(Ordering::Relaxed).saturating_add(bytes) > self.limit
        {
            thread::sleep(MOMENT);
        }
        self.waiting.fetch_add(bytes, Ordering::Relaxed);
        let _ = self.jobs.send(job);
    }

    /// Saves a request's spans.
    pub fn spans(&self, export: Export) {
        self.offer(Job::Spans(export));
    }

    /// Saves how a request ended.
    pub fn request(&self, end: &RequestEnd<'_>) {
        self.offer(Job::Receiver(request_line(end)));
    }

    /// Saves how long and where the receiver was up, so that a later reader knows what it
    /// should have received; and what had not settled at its end, after `settle`.
    pub fn receiver(&self, receiver: &ReceiverLog, settle: Duration, unsettled: &Unsettled) {
        let Some(line) = receiver_line(receiver, settle) else { return };
        self.put(Job::Receiver(line));
        let mut units: Vec<_> = unsettled.units().collect();
        units.sort_unstable();
        units.iter().for_each(|unit| self.put(Job::Receiver(unsettled_line(unit))));
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

    /// Saves what `MONITOR` showed at a time.
    pub fn overheard(&self, broker: &str, at: Timestamp, line: KeyLine<'static>) {
        self.offer(Job::Overheard { broker: broker.to_owned(), at, line });
    }

    /// How many requests and looks were not saved.
    pub fn not_saved(&self) -> u64 {
        self.lost.all()
    }

    /// Removes what [`Saving::start`] made, if nothing was saved.
    pub fn discard(&self) {
        drop(self.close());
        BundleWriter::discard(&self.folder);
    }

    /// Writes what still waits. Returns a sentence on each kind of thing that could not
    /// be saved, and [`WriteError::Bundle`] if the disk did not take everything.
    pub fn close(&self) -> (Vec<String>, Result<(), WriteError>) {
        let _ = self.jobs.send(Job::End);
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let written =
            writer.map(|writer| writer.join().unwrap_or_else(|cause| std::panic::resume_unwind(cause)));
        let failed = |source| WriteError::Bundle { folder: self.folder.clone(), source };
        let ended = written.transpose().map(drop).map_err(failed);
        (self.lost.told(self.options.most), ended)
    }
}

/// The state of the thread.
struct Work {
    bundle: BundleWriter,
    waiting: Arc<AtomicUsize>,
    lost: Arc<Lost>,
    most: u64,
    notices: Arc<dyn SessionNotices>,
    /// Whether something found no room. From then on nothing is written.
    is_full: bool,
    /// The first error of the disk.
    failed: Option<io::Error>,
}

impl Work {
    fn all(mut self, queue: &Receiver<Job>) -> io::Result<()> {
        loop {
            let job = match queue.try_recv() {
                // Nothing waits, so write what is buffered.
                Err(TryRecvError::Empty) => {
                    let flushed = self.bundle.flush();
                    self.heed(flushed.map(|()| Written::Whole), None);
                    queue.recv().unwrap_or(Job::End)
                }
                job => job.unwrap_or(Job::End),
            };
            if matches!(job, Job::End) {
                break;
            }
            let bytes = job.weight();
            self.write(job);
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
        }
        let ended = self.bundle.finish(self.lost.all());
        self.failed.map_or(ended, Err)
    }

    fn write(&mut self, job: Job) {
        if self.is_full {
            self.lost.room.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let bundle = &mut self.bundle;
        let written = match job {
            Job::Spans(export) => bundle.spans(&export),
            Job::Receiver(line) => bundle.receiver(&line),
            Job::Snapshot { number, broker, at, complete, lines } => {
                bundle.snapshot(number, &broker, at, complete, &lines)
            }
            Job::Overheard { broker, at, line } => bundle.overheard(&broker, at, &line),
            Job::End => return,
        };
        let lost = Arc::clone(&self.lost);
        self.heed(written, Some(&lost));
    }

    /// Counts what was lost, and says so at once the first time that the disk refuses or
    /// that no room is left.
    fn heed(&mut self, written: io::Result<Written>, lost: Option<&Lost>) {
        let what = match written {
            Ok(Written::Whole) => return,
            Ok(Written::NoRoom) => {
                lost.map(|lost| lost.room.fetch_add(1, Ordering::Relaxed));
                self.is_full = true;
                format!(
                    "--save-limit {} is reached: from now on nothing is saved, and what is saved shows no absence",
                    ByteSize(self.most)
                )
            }
            Err(error) => {
                lost.map(|lost| lost.disk.fetch_add(1, Ordering::Relaxed));
                if self.failed.is_some() {
                    return;
                }
                let what = format!(
                    "{}: {error}. What the disk does not take is lost, and the bundle says so",
                    self.bundle.folder().display()
                );
                self.failed = Some(error);
                what
            }
        };
        self.notices.notice(&SessionNotice::NotSaved(what));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default, Debug)]
    struct Heard(Mutex<Vec<String>>);

    impl SessionNotices for Heard {
        fn notice(&self, notice: &SessionNotice) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(notice.to_string());
        }
    }

    fn spans() -> Export {
        Export::Json(bytes::Bytes::from_static(
            br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","name":"GET /","kind":2}]}]}]}"#,
        ))
    }

    #[test]
    fn no_more_is_written_than_may_be_and_it_is_said_once() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let heard = Arc::new(Heard::default());
        let options = SaveOptions { parts: SavedParts::WhatIsRead, most: 10_000 };
        let saving =
            Saving::start(dir.path(), 1 << 20, options, Arc::clone(&heard) as _).expect("it is empty");
        (0..100).for_each(|_| saving.spans(spans()));
        let (told, ended) = saving.close();
        ended.expect("the disk takes it");
        let size = |name: &str| dir.path().join(name).metadata().expect("it is there").len();
        let lines = std::fs::read_to_string(dir.path().join("spans.jsonl")).expect("it is there");
        let kept = lines.lines().count() as u64;
        assert!(size("spans.jsonl") <= 10_000 && size("receiver.jsonl") < 200, "{kept} lines");
        assert_eq!((kept + saving.not_saved(), told.len()), (100, 1));
        let heard = heard.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(heard.len(), 1, "{heard:?}");
        assert!(heard[0].starts_with("--save-limit 9.8 KiB is reached"), "{heard:?}");
    }

    #[test]
    fn a_disk_that_takes_nothing_is_told_of_when_it_happens() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let heard = Arc::new(Heard::default());
        let options = SaveOptions { parts: SavedParts::WhatIsRead, most: 1 << 20 };
        let saving =
            Saving::start(dir.path(), 1 << 20, options, Arc::clone(&heard) as _).expect("it is empty");
        // No look can be written where its file should be.
        std::fs::create_dir(dir.path().join("redis.00000.jsonl")).expect("the folder is ours");
        saving.snapshot("here", Timestamp::UNSET, true, Vec::new());
        while saving.not_saved() == 0 {
            thread::sleep(Duration::from_millis(1));
        }
        saving.spans(spans());
        let (told, ended) = saving.close();
        ended.expect_err("it did not take the look");
        assert_eq!(told, ["1 requests or looks were not saved: the disk did not take them"]);
        let heard = heard.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(heard.len(), 1, "{heard:?}");
        let end = std::fs::read_to_string(dir.path().join("receiver.jsonl")).expect("it is there");
        assert!(end.ends_with("{\"ends_without\":1}\n"), "{end}");
    }
}

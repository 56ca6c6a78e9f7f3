//! `--save DIR`: a bundle that `tracelink diagnose DIR` reads to the same report.
//!
//! Writing waits for a disk, so a thread of its own does it; what waits for it
//! is bounded, and what did not fit is counted and told.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde::Serialize;

use super::save::{Saver, redacted};
use crate::evidence::{Endpoints, ReceiverLog};
use crate::model::Timestamp;
use crate::receiver::{Encoding, Ended};
use crate::wire::snapshot::{KeyLine, write_overheard, write_overheard_head};

/// What every bundle has: its spans, and how each request ended.
const FILES: [&str; 2] = ["spans.jsonl", "receiver.jsonl"];

/// Writes a bundle.
#[derive(Debug)]
pub struct Keeper {
    folder: PathBuf,
    jobs: Sender<Job>,
    waiting: Arc<AtomicUsize>,
    lost: Arc<Lost>,
    snapshots: AtomicU64,
    writer: Mutex<Option<JoinHandle<io::Result<()>>>>,
}

/// What could not be kept.
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
            format!("{lost} looks at the broker were not kept: {} are the most", Keeper::SNAPSHOTS)
        });
        [waiting, unwritable, looks].into_iter().flatten().collect()
    }
}

enum Job {
    Spans(Encoding, Bytes),
    Request(String),
    Snapshot(Snapshot),
    Overheard { broker: String, at: Timestamp, line: KeyLine<'static> },
    End,
}

/// A look at a broker.
struct Snapshot {
    number: u64,
    broker: String,
    at: Timestamp,
    complete: bool,
    lines: Vec<KeyLine<'static>>,
}

impl Keeper {
    /// How many bytes may wait for the disk.
    const WAITING: usize = 64 << 20;
    /// How many looks at a broker are kept.
    const SNAPSHOTS: u64 = 10_000;

    /// Makes the folder, which must hold no bundle yet.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let create = |name: &str| {
            let path = folder.join(name);
            // An empty one is what a start that was broken off has left.
            let is_empty = path.metadata().is_ok_and(|file| file.is_file() && file.len() == 0);
            let created = if is_empty { File::create(&path) } else { File::create_new(&path) };
            created.with_context(|| {
                format!("cannot write {}: --save wants a folder without a bundle in it", path.display())
            })
        };
        let [spans, requests] = FILES;
        let (spans, requests) = (BufWriter::new(create(spans)?), BufWriter::new(create(requests)?));
        let (jobs, queue) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let lost = Arc::new(Lost::default());
        let write = Writing {
            lost: Arc::clone(&lost),
            folder: folder.to_owned(),
            spans,
            requests,
            overheard: None,
            waiting: Arc::clone(&waiting),
        };
        let writer = thread::spawn(move || write.all(&queue));
        Ok(Self {
            folder: folder.to_owned(),
            jobs,
            waiting,
            lost,
            snapshots: AtomicU64::new(0),
            writer: Mutex::new(Some(writer)),
        })
    }

    fn offer(&self, bytes: usize, job: Job) {
        if self.waiting.load(Ordering::Relaxed).saturating_add(bytes) > Self::WAITING {
            self.lost.waiting.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.waiting.fetch_add(bytes, Ordering::Relaxed);
        if self.jobs.send(job).is_err() {
            self.lost.waiting.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Keeps a request's spans.
    pub fn spans(&self, encoding: Encoding, body: Bytes) {
        self.offer(body.len(), Job::Spans(encoding, body));
    }

    /// Keeps how a request ended.
    pub fn request(&self, ended: &Ended<'_>, age: Duration) {
        let line = RequestLine {
            time: age.as_secs_f64(),
            transport: ended.transport.label(),
            peer: ended.peer.to_string(),
            agent: ended.agent,
            target: ended.target,
            outcome: ended.outcome.label(),
        };
        let line = serde_json::to_string(&line).expect("a line of texts and numbers");
        self.offer(line.len(), Job::Request(line));
    }

    /// Keeps how long the receiver was up, and where, so that what it did not
    /// hear can be judged again.
    pub fn receiver(&self, receiver: &ReceiverLog) {
        let (Some(listened), Some(endpoints)) = (receiver.listened, &receiver.endpoints) else { return };
        let Endpoints { grpc, http, are_told } = endpoints;
        let line = ReceiverLine { listened: listened.as_secs_f64(), grpc, http, are_told: *are_told };
        let line = serde_json::to_string(&line).expect("a line of texts and numbers");
        self.offer(line.len(), Job::Request(line));
    }

    /// Keeps a look at the broker, bodies redacted.
    pub fn snapshot(&self, broker: &str, at: Timestamp, complete: bool, lines: Vec<KeyLine<'static>>) {
        let number = self.snapshots.fetch_add(1, Ordering::Relaxed);
        if number >= Self::SNAPSHOTS {
            self.lost.looks.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let bytes = lines.iter().map(KeyLine::weight).sum();
        let snapshot = Snapshot { number, broker: broker.to_owned(), at, complete, lines };
        self.offer(bytes, Job::Snapshot(snapshot));
    }

    /// Keeps what was overheard at a time, bodies redacted.
    pub fn overheard(&self, broker: &str, at: Timestamp, line: KeyLine<'static>) {
        self.offer(line.weight(), Job::Overheard { broker: broker.to_owned(), at, line });
    }

    /// Takes away what [`Keeper::open`] made, where nothing was kept.
    pub fn discard(&self) {
        let _ = self.close();
        for name in FILES {
            let path = self.folder.join(name);
            if path.metadata().is_ok_and(|file| file.len() == 0) {
                let _ = fs::remove_file(path);
            }
        }
    }

    /// Writes what waits, and gives a sentence on each kind of thing that could
    /// not be kept.
    pub fn close(&self) -> anyhow::Result<Vec<String>> {
        let _ = self.jobs.send(Job::End);
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let written =
            writer.map(|writer| writer.join().unwrap_or_else(|cause| std::panic::resume_unwind(cause)));
        written.transpose().with_context(|| format!("cannot write the bundle {}", self.folder.display()))?;
        Ok(self.lost.told())
    }
}

/// A line of `receiver.jsonl`.
#[derive(Serialize)]
struct RequestLine<'r> {
    /// Seconds since the receiver started.
    time: f64,
    transport: &'static str,
    peer: String,
    agent: &'r str,
    target: &'r str,
    outcome: &'static str,
}

/// The last line of `receiver.jsonl`.
#[derive(Serialize)]
struct ReceiverLine<'r> {
    /// Seconds.
    listened: f64,
    grpc: &'r str,
    http: &'r str,
    are_told: bool,
}

struct Writing {
    folder: PathBuf,
    spans: BufWriter<File>,
    requests: BufWriter<File>,
    /// Where anything was overheard.
    overheard: Option<BufWriter<File>>,
    waiting: Arc<AtomicUsize>,
    lost: Arc<Lost>,
}

impl Writing {
    fn all(mut self, queue: &Receiver<Job>) -> io::Result<()> {
        for job in queue {
            match job {
                Job::Spans(encoding, body) => {
                    self.waiting.fetch_sub(body.len(), Ordering::Relaxed);
                    match as_json(encoding, &body) {
                        Some(line) => {
                            self.spans.write_all(&line)?;
                            self.spans.write_all(b"\n")?;
                        }
                        None => drop(self.lost.unwritable.fetch_add(1, Ordering::Relaxed)),
                    }
                }
                Job::Request(line) => {
                    self.waiting.fetch_sub(line.len(), Ordering::Relaxed);
                    self.requests.write_all(line.as_bytes())?;
                    self.requests.write_all(b"\n")?;
                }
                Job::Snapshot(snapshot) => {
                    let bytes = snapshot.lines.iter().map(KeyLine::weight).sum();
                    self.waiting.fetch_sub(bytes, Ordering::Relaxed);
                    self.snapshot(&snapshot)?;
                }
                Job::Overheard { broker, at, line } => {
                    self.waiting.fetch_sub(line.weight(), Ordering::Relaxed);
                    let out = match &mut self.overheard {
                        Some(out) => out,
                        None => self.overheard.insert(overheard(&self.folder, &broker)?),
                    };
                    write_overheard(out, at, &redacted(&line))?;
                }
                Job::End => break,
            }
        }
        self.overheard.iter_mut().try_for_each(Write::flush)?;
        self.spans.flush()?;
        self.requests.flush()
    }

    fn snapshot(&self, snapshot: &Snapshot) -> io::Result<()> {
        let Snapshot { number, broker, at, complete, lines } = snapshot;
        let file = File::create(self.folder.join(format!("redis.{number:05}.jsonl")))?;
        let mut saver = Saver::new(Box::new(BufWriter::new(file)), broker, *at, *complete, false)?;
        lines.iter().try_for_each(|line| saver.key(line))?;
        saver.finish()
    }
}

/// Begins the file of what is overheard: after those of the looks, by its name.
fn overheard(folder: &Path, broker: &str) -> io::Result<BufWriter<File>> {
    let mut out = BufWriter::new(File::create(folder.join("redis.overheard.jsonl"))?);
    write_overheard_head(&mut out, broker)?;
    Ok(out)
}

/// The request as one line of OTLP/JSON; `None` where it is none.
fn as_json(encoding: Encoding, body: &[u8]) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Protobuf => {
            let request = ExportTraceServiceRequest::decode(body).ok()?;
            serde_json::to_vec(&request).ok()
        }
        Encoding::Json if !body.contains(&b'\n') => Some(body.to_vec()),
        // Line breaks inside texts are escaped in JSON, so they stand between
        // tokens only.
        Encoding::Json => Some(body.iter().copied().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect()),
    }
}

//! Reads saved evidence in any mix and order.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::content::{Content, Progress};
use super::evidence_options::EvidenceOptions;
use super::kind::Kind;
use super::skipped::{Skipped, SkippedIn};
use super::spanless::Spanless;
use super::store::{BytesRead, Store, StoreSink};
use super::{folder, framed, json, overheard, receiver_log, request, snapshot};
use crate::evidence::Evidence;
use crate::model::{Blame, Blamed};
use crate::wire::celery::redis_layout::KeyMap;
use crate::wire::otlp::{GRAFANA_LACKS, TEMPO_LACKS};
use crate::wire::{jaeger, zipkin};

/// Why evidence could not be read at all.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    #[error("cannot read {path}", path = path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{path}: {NO_EVIDENCE}\n{KNOWN}", path = .0.display())]
    Unknown(PathBuf),
    #[error("{path}: {holds}", path = path.display())]
    Spanless { path: PathBuf, holds: Spanless },
    #[error("{path}: compressed more than twice; decompress it first", path = .0.display())]
    Compressed(PathBuf),
    #[error("{path}: UTF-16; save it as UTF-8", path = .0.display())]
    Utf16(PathBuf),
    #[error("{path}: a folder without evidence (redis.*.jsonl, spans.jsonl, *.binpb, receiver.jsonl)", path = .0.display())]
    EmptyFolder(PathBuf),
}

impl Blamed for BundleError {
    fn blame(&self) -> Blame {
        Blame::Environment
    }
}

const NO_EVIDENCE: &str = "neither a broker snapshot nor spans in a format that is known";

/// The known formats, and how to get them from the common backends.
const KNOWN: &str = "\
known are, each packed with gzip or zstd too, and - for standard input:
  a bundle, or a broker snapshot    tracelink listen --save DIR, tracelink inspect-queue --save FILE
  OTLP, JSON or protobuf            the Collector's file exporter, with any format and compression
  Jaeger's JSON                     curl http://JAEGER:16686/api/traces/TRACE_ID > trace.json, or the page's download
  Tempo's JSON                      curl http://TEMPO:3200/api/traces/TRACE_ID > trace.json, or Grafana's download
  Zipkin's JSON, version 2          curl http://ZIPKIN:9411/api/v2/trace/TRACE_ID > trace.json";

/// Reads files and folders into the evidence, and returns what was skipped.
///
/// # Errors
///
/// [`BundleError`] if a path cannot be read or contains no evidence.
pub fn read_evidence(
    paths: &[PathBuf],
    reading: &EvidenceOptions,
    store: &mut dyn Store,
) -> Result<Vec<Skipped>, BundleError> {
    let mut reader = Reader {
        reading,
        store,
        skipped: Vec::new(),
        maps: HashMap::new(),
        overheard: Vec::new(),
        read: HashMap::new(),
        said_to_lack: BTreeSet::new(),
        done: BytesRead::default(),
    };
    // A known file without spans is no error if another file has evidence.
    let mut spanless = Vec::new();
    for path in paths {
        if path.is_dir() {
            reader.folder(path)?;
        } else {
            match reader.file(path)? {
                Kind::Gzip | Kind::Zstd => return Err(BundleError::Compressed(path.clone())),
                Kind::Utf16 => return Err(BundleError::Utf16(path.clone())),
                Kind::Spanless(holds) => spanless.push((path, holds)),
                Kind::Unknown | Kind::UnknownJson => return Err(BundleError::Unknown(path.clone())),
                _ => {}
            }
        }
    }
    reader.what_was_overheard()?;
    let has_evidence = spanless.len() < paths.len();
    for (path, holds) in spanless {
        if !has_evidence {
            return Err(BundleError::Spanless { path: path.clone(), holds });
        }
        SkippedIn::of(path, &mut reader.skipped).format(&holds.to_string());
    }
    Ok(reader.skipped)
}

struct Reader<'e> {
    reading: &'e EvidenceOptions,
    store: &'e mut dyn Store,
    skipped: Vec<Skipped>,
    /// What the names in each broker mean, according to its last snapshot.
    maps: HashMap<String, KeyMap>,
    /// What `MONITOR` showed is read after all snapshots.
    overheard: Vec<PathBuf>,
    /// The files that were read, by their real paths. A file that is given twice, or also
    /// with its folder, is read once.
    read: HashMap<PathBuf, Kind>,
    /// Formats whose limits were reported already.
    said_to_lack: BTreeSet<Kind>,
    /// How many bytes the files have that were read.
    done: BytesRead,
}

/// Tells a store how much was read.
struct Counting<'s> {
    store: &'s mut dyn Store,
    /// Of the files before.
    before: BytesRead,
    /// Of the file that is being read.
    file: Rc<Progress>,
}

impl Store for Counting<'_> {
    fn evidence(&mut self) -> &mut Evidence {
        self.store.evidence()
    }

    fn keep_room(&mut self) {
        self.store.keep_room();
    }

    fn between_requests(&mut self) {
        self.store.has_read(self.before + self.file.bytes());
        self.store.between_requests();
    }
}

impl Reader<'_> {
    /// Reads what a folder contains.
    ///
    /// A file that cannot be read is reported, and the others are read all the same.
    fn folder(&mut self, folder: &Path) -> Result<(), BundleError> {
        let failed = |source| BundleError::Io { path: folder.to_owned(), source };
        let files = folder::evidence_in(folder).map_err(failed)?;
        let mut found = false;
        // If nothing is found, this is why.
        let mut first = None;
        for file in &files {
            let kind = if file.is_file() {
                self.file(file)
            } else {
                SkippedIn::of(file, &mut self.skipped).file("no file, or a link to nothing: passed over");
                continue;
            };
            let mut skipped = SkippedIn::of(file, &mut self.skipped);
            let (what, error) = match kind {
                Ok(Kind::Gzip | Kind::Zstd) => (
                    "compressed more than twice, and skipped: decompress it first".to_owned(),
                    BundleError::Compressed(file.clone()),
                ),
                Ok(Kind::Spanless(holds)) => {
                    skipped.expected(format!("{holds}: passed over"));
                    first.get_or_insert(BundleError::Spanless { path: file.clone(), holds });
                    continue;
                }
                Ok(Kind::Utf16) => {
                    ("UTF-16, and passed over: save it as UTF-8".to_owned(), BundleError::Utf16(file.clone()))
                }
                Ok(Kind::Unknown) => {
                    (format!("{NO_EVIDENCE}: passed over"), BundleError::Unknown(file.clone()))
                }
                Ok(Kind::UnknownJson) => {
                    skipped.expected("JSON of another kind: passed over");
                    continue;
                }
                Ok(_) => {
                    found = true;
                    continue;
                }
                Err(BundleError::Io { path, source }) => {
                    (format!("cannot be read: {source}"), BundleError::Io { path, source })
                }
                Err(error) => return Err(error),
            };
            skipped.file(what);
            first.get_or_insert(error);
        }
        if found { Ok(()) } else { Err(first.unwrap_or_else(|| BundleError::EmptyFolder(folder.to_owned()))) }
    }

    fn file(&mut self, path: &Path) -> Result<Kind, BundleError> {
        // A pipe can be read once, whatever its path.
        let place = path.is_file().then(|| path.canonicalize().ok()).flatten();
        if let Some(kind) = place.as_ref().and_then(|place| self.read.get(place)) {
            SkippedIn::of(path, &mut self.skipped).expected("read already: passed over");
            return Ok(kind.clone());
        }
        let kind = self.read_file(path)?;
        self.read.extend(place.map(|place| (place, kind.clone())));
        Ok(kind)
    }

    fn read_file(&mut self, path: &Path) -> Result<Kind, BundleError> {
        let failed = |source| BundleError::Io { path: path.to_owned(), source };
        let mut content =
            Content::of(File::open(path).map_err(failed)?, self.reading.longest).map_err(failed)?;
        let mut kind = content.kind.clone();
        let file = &mut content.bytes;
        // For an empty file, only the name says what it is.
        if path.file_name().is_some_and(|name| name == "receiver.jsonl")
            && path.metadata().is_ok_and(|file| file.len() == 0)
        {
            kind = Kind::Receiver;
        }
        let Self { reading, store, skipped, maps, overheard, said_to_lack, done, .. } = self;
        let mut skipped = SkippedIn::of(path, skipped);
        let mut counting = Counting { store: *store, before: *done, file: Rc::clone(&content.read) };
        let filing = &mut counting;
        let most = reading.longest;
        match kind {
            Kind::Snapshot => snapshot::read(path, file, reading, filing.evidence(), &mut skipped)
                .map(|read| maps.extend(read)),
            // A pipe may be gone by the time all snapshots are read.
            Kind::Overheard if path.is_file() => {
                overheard.push(path.to_owned());
                Ok(())
            }
            Kind::Overheard => overheard::read(
                file,
                reading,
                filing.evidence(),
                &mut |broker| known(maps, broker, reading),
                &mut skipped,
            ),
            Kind::OtlpJson | Kind::Tempo => {
                json::read_requests(file, most, StoreSink::new(filing), &mut skipped)
            }
            Kind::Grafana => {
                let intake = StoreSink::of_merged_processes(filing);
                json::read_requests(file, most, intake, &mut skipped)
            }
            Kind::OtlpProtobuf => request::read_file(file, most, filing, &mut skipped),
            Kind::Framed => framed::read(file, most, filing, &mut skipped),
            Kind::Jaeger => json::read_documents(file, most, filing, &mut skipped, |text, intake| {
                jaeger::decode(text, most, intake, StoreSink::next_request)
            }),
            Kind::Zipkin => json::read_documents(file, most, filing, &mut skipped, |text, intake| {
                zipkin::decode(text, most, intake, StoreSink::next_request)
            }),
            Kind::Receiver => receiver_log::read(file, most, filing.evidence(), &mut skipped),
            Kind::Gzip | Kind::Zstd | Kind::Utf16 | Kind::Spanless(_) | Kind::UnknownJson | Kind::Unknown => {
                Ok(())
            }
        }
        .map_err(failed)?;
        let lacks = match kind {
            Kind::Jaeger => Some(jaeger::LACKS),
            Kind::Zipkin => Some(zipkin::LACKS),
            Kind::Tempo => Some(TEMPO_LACKS),
            Kind::Grafana => Some(GRAFANA_LACKS),
            _ => None,
        };
        // Once, however many files there are.
        if let Some(lacks) = lacks.filter(|_| said_to_lack.insert(kind.clone())) {
            skipped.format(lacks);
        }
        filing.between_requests();
        if let Some(spanless) = skipped.other_signals() {
            kind = Kind::Spanless(spanless);
        }
        if kind != Kind::Overheard {
            *done = *done + whole(path, content.read.bytes());
        }
        if let Some(why) = content.broken() {
            skipped.file(why);
        }
        if skipped.has_loss() {
            store.evidence().found_hole();
        }
        Ok(kind)
    }

    fn what_was_overheard(&mut self) -> Result<(), BundleError> {
        let Self { reading, store, skipped, maps, overheard, done, .. } = self;
        for path in overheard {
            let failed = |source| BundleError::Io { path: path.clone(), source };
            let Content { bytes: mut file, read, .. } =
                Content::of(File::open(&*path).map_err(failed)?, reading.longest).map_err(failed)?;
            let mut map_of = |broker: &str| known(maps, broker, reading);
            let mut skipped = SkippedIn::of(path, skipped);
            overheard::read(&mut file, reading, store.evidence(), &mut map_of, &mut skipped)
                .map_err(failed)?;
            *done = *done + read.bytes();
            store.has_read(*done);
            if skipped.has_loss() {
                store.evidence().found_hole();
            }
        }
        Ok(())
    }
}

/// What the names in a broker mean, if a snapshot of it was read.
fn known(maps: &HashMap<String, KeyMap>, broker: &str, reading: &EvidenceOptions) -> KeyMap {
    maps.get(broker).cloned().unwrap_or_else(|| KeyMap::named(reading.naming.clone()))
}

/// A file that is done with: what was passed over of it counts too.
fn whole(path: &Path, read: BytesRead) -> BytesRead {
    let stored = path.metadata().ok().filter(std::fs::Metadata::is_file).map_or(0, |file| file.len());
    BytesRead { stored: read.stored.max(stored), ..read }
}

//! Reads saved evidence in any mix and order.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use super::reading::Reading;
use super::skipped::{Skipped, SkippedIn};
use super::{overheard, receiver_log, snapshot, spans};
use crate::evidence::Evidence;
use crate::wire::celery::redis_layout::KeyMap;

/// Why evidence could not be read at all.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    #[error("cannot read {path}", path = path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{path}: {NO_EVIDENCE}", path = .0.display())]
    Unknown(PathBuf),
    #[error("{path}: compressed; unpack it first", path = .0.display())]
    Compressed(PathBuf),
    #[error("{path}: UTF-16; save it as UTF-8", path = .0.display())]
    Utf16(PathBuf),
    #[error("{path}: a folder without evidence (redis.*.jsonl, spans.jsonl, *.binpb, receiver.jsonl)", path = .0.display())]
    EmptyFolder(PathBuf),
}

const NO_EVIDENCE: &str = "neither a broker snapshot nor OTLP (JSON lines or protobuf)";

/// What a file holds, by how it begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Snapshot,
    Overheard,
    OtlpJson,
    OtlpProtobuf,
    Receiver,
    Compressed,
    /// As PowerShell's `>` writes.
    Utf16,
    /// JSON of another kind; in a folder it is passed over.
    OtherJson,
    Unknown,
}

/// How much of a file's beginning is looked at to tell what it is, in bytes.
const BEGINNING: u64 = 4096;

/// Reads files and folders into the evidence, and says what was passed over.
///
/// # Errors
///
/// [`BundleError`], where a path cannot be read or holds no evidence.
pub fn read_evidence(
    paths: &[PathBuf],
    reading: &Reading,
    evidence: &mut Evidence,
) -> Result<Vec<Skipped>, BundleError> {
    let mut reader = Reader {
        reading,
        evidence,
        skipped: Vec::new(),
        maps: HashMap::new(),
        overheard: Vec::new(),
        read: HashMap::new(),
    };
    for path in paths {
        if path.is_dir() {
            reader.folder(path)?;
        } else {
            match reader.file(path)? {
                Kind::Compressed => return Err(BundleError::Compressed(path.clone())),
                Kind::Utf16 => return Err(BundleError::Utf16(path.clone())),
                Kind::Unknown | Kind::OtherJson => return Err(BundleError::Unknown(path.clone())),
                _ => {}
            }
        }
    }
    reader.what_was_overheard()?;
    Ok(reader.skipped)
}

struct Reader<'e> {
    reading: &'e Reading,
    evidence: &'e mut Evidence,
    skipped: Vec<Skipped>,
    /// What the names in each broker mean, as its last snapshot shows.
    maps: HashMap<String, KeyMap>,
    /// What was overheard is read when all snapshots are.
    overheard: Vec<PathBuf>,
    /// The files that were read, by the path without links. One that is given
    /// twice, or with the folder that it lies in, did not come twice.
    read: HashMap<PathBuf, Kind>,
}

impl Reader<'_> {
    /// Reads what a folder holds. Spans that lie there in both encodings are read once.
    ///
    /// A file that cannot be read is told of, and the others are read all the same.
    fn folder(&mut self, folder: &Path) -> Result<(), BundleError> {
        let failed = |source| BundleError::Io { path: folder.to_owned(), source };
        let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
            .map_err(failed)?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| is_named_evidence(path))
            .collect();
        files.sort();
        if files
            .iter()
            .any(|path| path.file_name().is_some_and(|name| name == "spans.jsonl") && path.is_file())
        {
            files.retain(|path| path.extension().is_none_or(|extension| extension != "binpb"));
        }
        let mut found = false;
        // Where nothing is found, this is why.
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
                Ok(Kind::Compressed) => (
                    "compressed, and passed over: unpack it first".to_owned(),
                    BundleError::Compressed(file.clone()),
                ),
                Ok(Kind::Utf16) => {
                    ("UTF-16, and passed over: save it as UTF-8".to_owned(), BundleError::Utf16(file.clone()))
                }
                Ok(Kind::Unknown) => {
                    (format!("{NO_EVIDENCE}: passed over"), BundleError::Unknown(file.clone()))
                }
                Ok(Kind::OtherJson) => {
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
        // What comes through a pipe comes once, whatever it is called.
        let place = path.is_file().then(|| path.canonicalize().ok()).flatten();
        if let Some(kind) = place.as_ref().and_then(|place| self.read.get(place)) {
            SkippedIn::of(path, &mut self.skipped).expected("read already: passed over");
            return Ok(*kind);
        }
        let kind = self.read_file(path)?;
        self.read.extend(place.map(|place| (place, kind)));
        Ok(kind)
    }

    fn read_file(&mut self, path: &Path) -> Result<Kind, BundleError> {
        let failed = |source| BundleError::Io { path: path.to_owned(), source };
        let mut file = BufReader::with_capacity(1 << 16, File::open(path).map_err(failed)?);
        // A pipe gives its beginning in pieces, and once only.
        let mut start = Vec::new();
        (&mut file).take(BEGINNING).read_to_end(&mut start).map_err(failed)?;
        if start.starts_with(BYTE_ORDER_MARK) {
            start.drain(..BYTE_ORDER_MARK.len());
        }
        let mut kind = sniff(&start);
        let mut file = Cursor::new(start).chain(file);
        // Of a file that is empty only the name says what it is.
        if path.file_name().is_some_and(|name| name == "receiver.jsonl")
            && path.metadata().is_ok_and(|file| file.len() == 0)
        {
            kind = Kind::Receiver;
        }
        let Self { reading, evidence, skipped, maps, overheard, .. } = self;
        let mut skipped = SkippedIn::of(path, skipped);
        match kind {
            Kind::Snapshot => {
                snapshot::read(path, &mut file, reading, evidence, &mut skipped).map(|read| maps.extend(read))
            }
            // What it came through may be gone by the time that all snapshots are read.
            Kind::Overheard if path.is_file() => {
                overheard.push(path.to_owned());
                Ok(())
            }
            Kind::Overheard => overheard::read(
                &mut file,
                reading,
                evidence,
                &mut |broker| known(maps, broker, reading),
                &mut skipped,
            ),
            Kind::OtlpJson => spans::read_json(&mut file, evidence, &mut skipped),
            Kind::OtlpProtobuf => spans::read_protobuf(&mut file, evidence, &mut skipped),
            Kind::Receiver => receiver_log::read(&mut file, evidence, &mut skipped),
            Kind::Compressed | Kind::Utf16 | Kind::OtherJson | Kind::Unknown => Ok(()),
        }
        .map_err(failed)?;
        if skipped.has_loss() {
            evidence.found_hole();
        }
        Ok(kind)
    }

    fn what_was_overheard(&mut self) -> Result<(), BundleError> {
        let Self { reading, evidence, skipped, maps, overheard, .. } = self;
        for path in overheard {
            let failed = |source| BundleError::Io { path: path.clone(), source };
            let mut file = BufReader::new(File::open(&*path).map_err(failed)?);
            let mut map_of = |broker: &str| known(maps, broker, reading);
            let mut skipped = SkippedIn::of(path, skipped);
            overheard::read(&mut file, reading, evidence, &mut map_of, &mut skipped).map_err(failed)?;
            if skipped.has_loss() {
                evidence.found_hole();
            }
        }
        Ok(())
    }
}

/// What the names in a broker mean, as far as a snapshot of it was read.
fn known(maps: &HashMap<String, KeyMap>, broker: &str, reading: &Reading) -> KeyMap {
    maps.get(broker).cloned().unwrap_or_else(|| KeyMap::named(reading.naming.clone()))
}

/// Whether a file of a folder is called like evidence, packed or not.
fn is_named_evidence(path: &Path) -> bool {
    const NAMES: [&str; 3] = ["jsonl", "json", "binpb"];
    let is = |path: &Path, wanted: &[&str]| {
        path.extension().is_some_and(|extension| wanted.iter().any(|wanted| extension == *wanted))
    };
    is(path, &NAMES)
        || (is(path, &["gz", "zst"]) && path.file_stem().is_some_and(|stem| is(Path::new(stem), &NAMES)))
}

/// What some programs begin UTF-8 with; it says nothing.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

fn sniff(beginning: &[u8]) -> Kind {
    if beginning.is_empty() {
        // An empty OTLP request is a request.
        return Kind::OtlpProtobuf;
    }
    if beginning.starts_with(&[0x1f, 0x8b]) || beginning.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return Kind::Compressed;
    }
    let halves = beginning.first_chunk::<2>();
    if halves.is_some_and(|halves| matches!(halves, [0xff, 0xfe] | [0xfe, 0xff] | [b'{', 0] | [0, b'{'])) {
        return Kind::Utf16;
    }
    let text = beginning.trim_ascii_start();
    let holds = |word: &[u8]| memchr::memmem::find(beginning, word).is_some();
    match text.first() {
        Some(b'{') => {
            let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
            let in_line = |word: &[u8]| memchr::memmem::find(line, word).is_some();
            if in_line(b"\"snapshot\"") {
                Kind::Snapshot
            } else if in_line(b"\"overheard\"") {
                Kind::Overheard
            } else if holds(b"\"resourceSpans\"") || holds(b"\"resource_spans\"") {
                Kind::OtlpJson
            } else if [&b"\"outcome\""[..], b"\"listened\"", b"\"bundle\""].into_iter().any(in_line) {
                Kind::Receiver
            } else {
                Kind::OtherJson
            }
        }
        // The first field of an ExportTraceServiceRequest, by its length.
        Some(_) if beginning.first() == Some(&0x0a) => Kind::OtlpProtobuf,
        _ => Kind::Unknown,
    }
}

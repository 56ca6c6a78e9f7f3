//! Reads saved evidence in any mix and order.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use super::lines::{self, Line};
use super::notice::{Notice, Notices};
use super::{receiver_log, spans};
use crate::evidence::{Evidence, Keep, Looker, Naming};
use crate::wire::celery::ReadOptions;
use crate::wire::celery::keys::{self, Key};
use crate::wire::snapshot::{Content, KeyLine, SnapshotError, read_head, read_key};

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

/// How the evidence is to be read.
#[derive(Clone, Debug)]
pub struct Reading {
    pub keep: Keep,
    pub options: ReadOptions,
    pub naming: Naming,
}

impl Default for Reading {
    fn default() -> Self {
        Self { keep: Keep::Each, options: ReadOptions::default(), naming: Naming::default() }
    }
}

/// What a file holds, by how it begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Snapshot,
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
) -> Result<Vec<Notice>, BundleError> {
    let mut notices = Vec::new();
    for path in paths {
        if path.is_dir() {
            read_folder(path, reading, evidence, &mut notices)?;
        } else {
            match read_file(path, reading, evidence, &mut notices)? {
                Kind::Compressed => return Err(BundleError::Compressed(path.clone())),
                Kind::Utf16 => return Err(BundleError::Utf16(path.clone())),
                Kind::Unknown | Kind::OtherJson => return Err(BundleError::Unknown(path.clone())),
                _ => {}
            }
        }
    }
    Ok(notices)
}

/// Reads what a folder holds. Spans that lie there in both encodings are read once.
///
/// A file that cannot be read is told of, and the others are read all the same.
fn read_folder(
    folder: &Path,
    reading: &Reading,
    evidence: &mut Evidence,
    notices: &mut Vec<Notice>,
) -> Result<(), BundleError> {
    let failed = |source| BundleError::Io { path: folder.to_owned(), source };
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(failed)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| is_named_evidence(path))
        .collect();
    files.sort();
    if files.iter().any(|path| path.file_name().is_some_and(|name| name == "spans.jsonl") && path.is_file()) {
        files.retain(|path| path.extension().is_none_or(|extension| extension != "binpb"));
    }
    let mut found = false;
    // Where nothing is found, this is why.
    let mut first = None;
    for file in &files {
        let kind = if file.is_file() {
            read_file(file, reading, evidence, notices)
        } else {
            Notices::of(file, notices).file("no file, or a link to nothing: passed over");
            continue;
        };
        let mut notices = Notices::of(file, notices);
        let (what, error) = match kind {
            Ok(Kind::Compressed) => (
                "compressed, and passed over: unpack it first".to_owned(),
                BundleError::Compressed(file.clone()),
            ),
            Ok(Kind::Utf16) => {
                ("UTF-16, and passed over: save it as UTF-8".to_owned(), BundleError::Utf16(file.clone()))
            }
            Ok(Kind::Unknown) => (format!("{NO_EVIDENCE}: passed over"), BundleError::Unknown(file.clone())),
            Ok(Kind::OtherJson) => {
                notices.expected("JSON of another kind: passed over");
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
        notices.file(what);
        first.get_or_insert(error);
    }
    if found { Ok(()) } else { Err(first.unwrap_or_else(|| BundleError::EmptyFolder(folder.to_owned()))) }
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

fn read_file(
    path: &Path,
    reading: &Reading,
    evidence: &mut Evidence,
    notices: &mut Vec<Notice>,
) -> Result<Kind, BundleError> {
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
    let mut notices = Notices::of(path, notices);
    match kind {
        // Twice: bindings and names first, so that each list's queue is
        // known when its messages are read, and no list is held in memory,
        // unless it comes through a pipe.
        Kind::Snapshot => read_snapshot(path, &mut file, reading, evidence, &mut notices),
        Kind::OtlpJson => spans::read_json(&mut file, evidence, &mut notices),
        Kind::OtlpProtobuf => spans::read_protobuf(&mut file, evidence, &mut notices),
        Kind::Receiver => receiver_log::read(&mut file, &mut evidence.receiver, &mut notices),
        Kind::Compressed | Kind::Utf16 | Kind::OtherJson | Kind::Unknown => Ok(()),
    }
    .map_err(failed)?;
    Ok(kind)
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
            } else if holds(b"\"resourceSpans\"") || holds(b"\"resource_spans\"") {
                Kind::OtlpJson
            } else if in_line(b"\"outcome\"") || in_line(b"\"listened\"") {
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

fn read_snapshot(
    path: &Path,
    file: &mut impl BufRead,
    reading: &Reading,
    evidence: &mut Evidence,
    notices: &mut Notices<'_>,
) -> io::Result<()> {
    let mut line = Vec::new();
    if lines::next(file, &mut line, lines::MOST)? == Line::TooLong {
        notices.line(1, lines::too_long());
        return Ok(());
    }
    let head = match read_head(&line) {
        Ok(head) => head,
        Err(error) => {
            notices.line(1, error.to_string());
            return Ok(());
        }
    };
    let broker = head.broker.unwrap_or_default();
    let mut looker = Looker::new(
        evidence,
        &broker,
        head.captured_at,
        reading.keep,
        reading.options,
        reading.naming.clone(),
    );
    looker.looked_for_workers();
    if !head.complete {
        looker.incomplete();
    }
    let mut whole = None;
    if !path.is_file() {
        if !lines::rest(file, &mut line)? {
            notices.file(lines::too_large());
        }
        whole = Some(line);
    }
    let each_line = |each: &mut dyn FnMut(usize, Option<&[u8]>)| match &whole {
        Some(whole) => each_key(&whole[..], each),
        None => each_key(BufReader::new(File::open(path)?), each),
    };
    each_line(&mut |_, line| {
        if let Some(Ok(line)) = line.map(read_key) {
            announce(&mut looker, &line);
        }
    })?;
    each_line(&mut |number, line| match line.map(read_key) {
        Some(Ok(line)) => take(&mut looker, &line),
        Some(Err(error)) => notices.line(number, describe(&error)),
        None => notices.line(number, lines::too_long()),
    })?;
    for (key, (count, why)) in std::mem::take(&mut looker.foreign) {
        let entries = if count == 1 { "entry" } else { "entries" };
        notices.expected(format!("{count} {entries} of `{key}` passed over: {why}"));
    }
    looker.finish();
    Ok(())
}

fn describe(error: &SnapshotError) -> String {
    error.to_string().replace("at line 1 column", "at column")
}

/// Calls `each` with every line but the first, and its number.
fn each_key(file: impl BufRead, mut each: impl FnMut(usize, Option<&[u8]>)) -> io::Result<()> {
    lines::each(file, |number, line| {
        if number > 1 {
            each(number, line);
        }
    })
}

/// The first time over: what is bound, and which lists there are.
/// Tells a look of a binding or of a list's name, before any list is taken.
pub fn announce(looker: &mut Looker<'_>, line: &KeyLine<'_>) {
    let Ok(name) = std::str::from_utf8(&line.key) else { return };
    match &line.content {
        Content::Set(members) => {
            let members: Vec<_> =
                members.iter().filter_map(|member| std::str::from_utf8(member).ok()).collect();
            looker.set(name, &members);
        }
        Content::List(_) => looker.announce(name),
        _ => {}
    }
}

/// The second time: the messages and the results.
/// Takes what lies under a key into a look.
pub fn take(looker: &mut Looker<'_>, line: &KeyLine<'_>) {
    let name = String::from_utf8_lossy(&line.key);
    match &line.content {
        Content::List(entries) => {
            let indexed = (line.from..).zip(entries.iter().map(|entry| &**entry));
            looker.list(&name, indexed, line.len, line.complete);
        }
        Content::Hash(pairs) if keys::classify(&name) == Key::Unacked => {
            looker.unacked(&name, pairs.iter().map(|(_, value)| &**value), line.complete);
        }
        Content::String(value) => {
            if let Key::Result { task_id } = keys::classify(&name) {
                looker.result(task_id, value);
            }
        }
        _ => {}
    }
}

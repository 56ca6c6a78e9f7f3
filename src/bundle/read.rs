//! Reads saved evidence in any mix and order.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use super::receiver_log;
use crate::evidence::{Evidence, Intake, Keep, Looker, Naming};
use crate::wire::celery::ReadOptions;
use crate::wire::celery::keys::{self, Key};
use crate::wire::otlp::{DecodeError, decode_json_documents, decode_protobuf};
use crate::wire::snapshot::{Content, KeyLine, SnapshotError, read_head, read_key};

/// Why evidence could not be read at all.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    #[error("cannot read {path}", path = path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{path}: neither a broker snapshot nor OTLP (JSON lines or protobuf)", path = .0.display())]
    Unknown(PathBuf),
    #[error("{path}: compressed; unpack it first", path = .0.display())]
    Compressed(PathBuf),
    #[error("{path}: a folder without evidence (redis.*.jsonl, spans.jsonl, *.binpb, receiver.jsonl)", path = .0.display())]
    EmptyFolder(PathBuf),
}

/// Something that was passed over, and where: nothing else is lost with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    pub path: PathBuf,
    /// Counted from 1; `None` where the file has no lines.
    pub line: Option<usize>,
    pub what: String,
    /// Whether it is as it should be, such as another program's list: worth
    /// telling only to who asks for more.
    pub is_expected: bool,
}

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
                Kind::Unknown | Kind::OtherJson => return Err(BundleError::Unknown(path.clone())),
                _ => {}
            }
        }
    }
    Ok(notices)
}

/// Reads what a folder holds. Spans that lie there in both encodings are read once.
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
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    let extension = |path: &Path, wanted: &str| path.extension().is_some_and(|extension| extension == wanted);
    if files.iter().any(|path| path.file_name().is_some_and(|name| name == "spans.jsonl")) {
        files.retain(|path| !extension(path, "binpb"));
    }
    let mut found = false;
    for file in files
        .iter()
        .filter(|path| extension(path, "jsonl") || extension(path, "json") || extension(path, "binpb"))
    {
        found |= !matches!(
            read_file(file, reading, evidence, notices)?,
            Kind::OtherJson | Kind::Unknown | Kind::Compressed
        );
    }
    if found { Ok(()) } else { Err(BundleError::EmptyFolder(folder.to_owned())) }
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
    let mut kind = sniff(&start);
    let mut file = Cursor::new(start).chain(file);
    // Of a file that is empty only the name says what it is.
    if path.file_name().is_some_and(|name| name == "receiver.jsonl")
        && path.metadata().is_ok_and(|file| file.len() == 0)
    {
        kind = Kind::Receiver;
    }
    match kind {
        Kind::Snapshot => {
            // Twice: bindings and names first, so that each list's queue is
            // known when its messages are read, and no list is held in memory,
            // unless it comes through a pipe.
            read_snapshot(path, &mut file, reading, evidence, notices).map_err(failed)?;
        }
        Kind::OtlpJson => {
            let mut text = Vec::new();
            file.read_to_end(&mut text).map_err(failed)?;
            read_otlp_json(path, &text, evidence, notices);
        }
        Kind::OtlpProtobuf => {
            let mut body = Vec::new();
            file.read_to_end(&mut body).map_err(failed)?;
            let mut intake = Intake::new(evidence);
            intake.next_request();
            if let Err(error) = decode_protobuf(&body, &mut intake) {
                notices.push(Notice {
                    path: path.to_owned(),
                    line: None,
                    what: error.to_string(),
                    is_expected: false,
                });
            }
        }
        Kind::Receiver => {
            receiver_log::read(path, &mut file, &mut evidence.receiver, notices).map_err(failed)?
        }
        Kind::Compressed | Kind::OtherJson | Kind::Unknown => {}
    }
    Ok(kind)
}

fn sniff(beginning: &[u8]) -> Kind {
    if beginning.is_empty() {
        // An empty OTLP request is a request.
        return Kind::OtlpProtobuf;
    }
    if beginning.starts_with(&[0x1f, 0x8b]) || beginning.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return Kind::Compressed;
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

fn read_otlp_json(path: &Path, text: &[u8], evidence: &mut Evidence, notices: &mut Vec<Notice>) {
    let mut intake = Intake::new(evidence);
    let is_lines = text
        .split(|byte| *byte == b'\n')
        .find(|line| !line.trim_ascii().is_empty())
        .is_some_and(|line| serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok());
    if !is_lines {
        if let Err(error) = decode_json_documents(text, &mut intake, Intake::next_request) {
            notices.push(Notice {
                path: path.to_owned(),
                line: None,
                what: error.to_string(),
                is_expected: false,
            });
        }
        return;
    }
    for (number, line) in
        text.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.trim_ascii().is_empty())
    {
        if let Err(error) = decode_json_documents(line, &mut intake, Intake::next_request) {
            notices.push(Notice {
                path: path.to_owned(),
                line: Some(number + 1),
                what: in_line(&error),
                is_expected: false,
            });
        }
    }
}

/// An error without its line, which is always the first of one.
fn in_line(error: &DecodeError) -> String {
    error.to_string().replace("at line 1 column", "at column")
}

fn read_snapshot(
    path: &Path,
    file: &mut impl BufRead,
    reading: &Reading,
    evidence: &mut Evidence,
    notices: &mut Vec<Notice>,
) -> io::Result<()> {
    let mut line = Vec::new();
    file.read_until(b'\n', &mut line)?;
    let head = match read_head(&line) {
        Ok(head) => head,
        Err(error) => {
            notices.push(Notice {
                path: path.to_owned(),
                line: Some(1),
                what: error.to_string(),
                is_expected: false,
            });
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
        file.read_to_end(&mut line)?;
        whole = Some(line);
    }
    let each_line = |each: &mut dyn FnMut(usize, &[u8])| match &whole {
        Some(whole) => each_line(&whole[..], each),
        None => each_line(BufReader::new(File::open(path)?), each),
    };
    each_line(&mut |_, line| {
        if let Ok(line) = read_key(line) {
            announce(&mut looker, &line);
        }
    })?;
    each_line(&mut |number, line| match read_key(line) {
        Ok(line) => take(&mut looker, &line),
        Err(error) => {
            notices.push(Notice {
                path: path.to_owned(),
                line: Some(number),
                what: describe(&error),
                is_expected: false,
            });
        }
    })?;
    for (key, (count, why)) in std::mem::take(&mut looker.foreign) {
        let entries = if count == 1 { "entry" } else { "entries" };
        notices.push(Notice {
            path: path.to_owned(),
            line: None,
            what: format!("{count} {entries} of `{key}` passed over: {why}"),
            is_expected: true,
        });
    }
    looker.finish();
    Ok(())
}

fn describe(error: &SnapshotError) -> String {
    error.to_string().replace("at line 1 column", "at column")
}

/// Calls `each` with every line but the first, and its number.
fn each_line(mut file: impl BufRead, mut each: impl FnMut(usize, &[u8])) -> io::Result<()> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if file.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let text = line.trim_ascii();
        if number > 1 && !text.is_empty() {
            each(number, text);
        }
    }
    Ok(())
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

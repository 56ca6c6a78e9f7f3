//! What the runs are given: the same bytes each time.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use tracelink::model::Timestamp;
use tracelink::wire::snapshot::{Head, KeyContent, KeyLine, Rewrite, write_head, write_key};

use super::messages::message;
use super::spans;

/// Of a hundred hand-offs so many are broken, and of a hundred messages so many
/// carry no context.
const BROKEN: u64 = 1;

/// The cases of the corpus, in the order of their names.
pub fn corpus(root: &Path) -> Vec<PathBuf> {
    let folder = Path::new("fixtures/corpus");
    let entries = std::fs::read_dir(root.join(folder)).expect("the corpus is part of the project");
    let mut cases: Vec<_> = entries
        .map(|entry| entry.expect("readable"))
        .filter(|entry| entry.path().is_dir())
        .map(|entry| folder.join(entry.file_name()))
        .collect();
    cases.sort();
    cases
}

/// Requests of so many spans, as protobuf.
pub fn requests(spans: u64) -> impl Iterator<Item = Vec<u8>> {
    spans::requests(0..spans / spans::SPANS, BROKEN)
}

/// Writes so many spans as OTLP/JSON, a request a line.
pub fn write_spans(path: &Path, spans: u64) {
    let mut out = BufWriter::new(File::create(path).expect("writable"));
    for request in requests(spans) {
        let request = ExportTraceServiceRequest::decode(&*request).expect("prost wrote it");
        serde_json::to_writer(&mut out, &request).expect("writable");
        writeln!(out).expect("writable");
    }
    out.flush().expect("writable");
}

/// Writes a snapshot of one queue with so many messages, a thousand a line.
pub fn write_snapshot(path: &Path, messages: u64) {
    const AT_ONCE: u64 = 1_000;
    let mut out = BufWriter::new(File::create(path).expect("writable"));
    let captured_at = Timestamp::from_nanos(spans::START);
    let head = Head { captured_at, stage: None, broker: Some("127.0.0.1:6379/0".to_owned()), complete: true };
    write_head(&mut out, &head).expect("writable");
    for from in (0..messages).step_by(usize::try_from(AT_ONCE).expect("small")) {
        let entries = (from..messages.min(from + AT_ONCE)).map(|number| {
            let message = message(number);
            let is_bare = number % 100 < BROKEN;
            let message = if is_bare { message.replace("traceparent", "x-request-id") } else { message };
            message.into_bytes().into()
        });
        let line = KeyLine {
            db: 0,
            key: b"celery".as_slice().into(),
            pttl: -1,
            content: KeyContent::List(entries.collect()),
            len: Some(messages),
            from,
            complete: true,
        };
        write_key(&mut out, &line, &Rewrite::NONE).expect("writable");
    }
    out.flush().expect("writable");
}

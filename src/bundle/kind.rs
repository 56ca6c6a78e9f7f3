//! What a file contains, judging by how it begins.

use memchr::memmem;

/// What a file contains.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    Snapshot,
    Overheard,
    Receiver,
    /// Requests in JSON, as in OTLP, or as Tempo and Jaeger's API wrap them.
    OtlpJson,
    /// One request.
    OtlpProtobuf,
    /// Requests, each preceded by its length, as the Collector's file exporter writes
    /// anything but text.
    Framed,
    /// A download from Jaeger's page.
    Jaeger,
    Zipkin,
    Gzip,
    Zstd,
    /// UTF-16, as PowerShell's `>` writes it.
    Utf16,
    /// JSON of a known kind without spans.
    Other(OtherJson),
    /// JSON of another kind; in a folder it is skipped.
    UnknownJson,
    Unknown,
}

/// JSON that people mistake for spans.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum OtherJson {
    Logs,
    Metrics,
    /// A query that found nothing.
    Empty,
    /// A list of traces, without their spans.
    Search,
}

impl OtherJson {
    /// What it contains, and how to get spans instead.
    pub const fn says(self) -> &'static str {
        match self {
            Self::Logs => "logs, and no spans: give the file of the traces pipeline",
            Self::Metrics => "metrics, and no spans: give the file of the traces pipeline",
            Self::Empty => {
                "an empty result: the query found no trace. Widen its time, or ask for the trace by its id"
            }
            Self::Search => {
                "the result of a search, which names traces and holds no spans: download each of them by its id"
            }
        }
    }
}

/// How much of the beginning of a file is looked at to recognise it, in bytes.
pub const BEGINNING: u64 = 4096;

/// A byte order mark, with which some programs begin UTF-8.
pub const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

const GZIP: &[u8] = &[0x1f, 0x8b];
/// How a zstd frame begins: <https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1>.
pub const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// The first field of a request of any signal, by its length.
const FIRST_FIELD: u8 = 0x0a;

/// What a file with this beginning contains.
pub fn sniff(beginning: &[u8]) -> Kind {
    if beginning.is_empty() {
        // An empty OTLP request is a request.
        return Kind::OtlpProtobuf;
    }
    if beginning.starts_with(GZIP) {
        return Kind::Gzip;
    }
    if beginning.starts_with(ZSTD) {
        return Kind::Zstd;
    }
    let halves = beginning.first_chunk::<2>();
    if halves.is_some_and(|halves| matches!(halves, [0xff, 0xfe] | [0xfe, 0xff] | [b'{', 0] | [0, b'{'])) {
        return Kind::Utf16;
    }
    let text = beginning.trim_ascii_start();
    match text.first() {
        Some(b'{') => object(text),
        Some(b'[') => list(text),
        Some(_) if beginning.first() == Some(&FIRST_FIELD) => Kind::OtlpProtobuf,
        _ if is_framed(beginning) => Kind::Framed,
        _ => Kind::Unknown,
    }
}

fn object(text: &[u8]) -> Kind {
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let in_line = |word: &[u8]| memmem::find(line, word).is_some();
    if in_line(b"\"snapshot\"") {
        return Kind::Snapshot;
    }
    if in_line(b"\"overheard\"") {
        return Kind::Overheard;
    }
    // Our own files say how spans were saved, with a key that Jaeger's files have too.
    if line[1..].trim_ascii_start().starts_with(b"\"bundle\"") {
        return Kind::Receiver;
    }
    // The first key decides: later ones may be anything.
    let known: [(&[u8], Kind); 12] = [
        (b"\"resourceSpans\"", Kind::OtlpJson),
        (b"\"resource_spans\"", Kind::OtlpJson),
        (b"\"batches\"", Kind::OtlpJson),
        (b"\"resourceLogs\"", Kind::Other(OtherJson::Logs)),
        (b"\"resource_logs\"", Kind::Other(OtherJson::Logs)),
        (b"\"resourceMetrics\"", Kind::Other(OtherJson::Metrics)),
        (b"\"resource_metrics\"", Kind::Other(OtherJson::Metrics)),
        (b"\"traces\"", Kind::Other(OtherJson::Search)),
        (b"\"data\"", Kind::Jaeger),
        (b"\"spans\"", Kind::Jaeger),
        (b"\"traceID\"", Kind::Jaeger),
        (b"\"processes\"", Kind::Jaeger),
    ];
    let first = known
        .into_iter()
        .filter_map(|(word, kind)| memmem::find(text, word).map(|at| (at, word, kind)))
        .min_by_key(|(at, ..)| *at);
    let holds = |word: &[u8]| memmem::find(text, word).is_some();
    match first {
        Some((at, word, kind @ (Kind::Jaeger | Kind::Other(OtherJson::Search)))) => {
            let value = text[at + word.len()..].trim_ascii_start().strip_prefix(b":").unwrap_or_default();
            if is_empty(value) {
                Kind::Other(OtherJson::Empty)
            } else if holds(b"\"spanID\"") || holds(b"\"processes\"") {
                Kind::Jaeger
            } else if kind != Kind::Jaeger && holds(b"\"traceID\"") {
                kind
            } else {
                Kind::UnknownJson
            }
        }
        Some((_, _, kind)) => kind,
        None if [&b"\"outcome\""[..], b"\"listened\"", b"\"bundle\""].into_iter().any(in_line) => {
            Kind::Receiver
        }
        None => Kind::UnknownJson,
    }
}

fn list(text: &[u8]) -> Kind {
    let holds = |word: &[u8]| memmem::find(text, word).is_some();
    if is_empty(text) {
        Kind::Other(OtherJson::Empty)
    } else if holds(b"\"traceId\"") && holds(b"\"id\"") {
        Kind::Zipkin
    } else {
        Kind::UnknownJson
    }
}

/// Whether a JSON value begins like an empty one: `null`, `[]`, `{}`, `[[]]`.
fn is_empty(value: &[u8]) -> bool {
    let value = value.trim_ascii_start();
    if value.starts_with(b"null") {
        return true;
    }
    let within = match value.first() {
        Some(b'[' | b'{') => value[1..].trim_ascii_start(),
        _ => return false,
    };
    matches!(within.first(), Some(b']' | b'}')) || (within.first() == Some(&b'[') && is_empty(within))
}

/// Whether it begins with a length and then a message: protobuf, zstd or JSON
/// (<https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/exporter/fileexporter#file-format>).
fn is_framed(beginning: &[u8]) -> bool {
    let Some((length, message)) = beginning.split_first_chunk::<4>() else { return false };
    u32::from_be_bytes(*length) > 0
        && (message.first() == Some(&FIRST_FIELD) || message.starts_with(ZSTD) || message.starts_with(b"{"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_is_told_by_its_content() {
        for (text, kind) in [
            (&br#"{"snapshot": "broker/1"}"#[..], Kind::Snapshot),
            (br#"{"bundle":1,"spans":"what diagnoses read"}"#, Kind::Receiver),
            (br#"{"resourceSpans": [{"data": 1}]}"#, Kind::OtlpJson),
            (br#"{"batches": [{"resource": {}}]}"#, Kind::OtlpJson),
            (br#"{"trace": {"resourceSpans": []}}"#, Kind::OtlpJson),
            (br#"{"result": {"resourceSpans": []}}"#, Kind::OtlpJson),
            (br#"{"resourceLogs": [{"body": "\"resourceSpans\""}]}"#, Kind::Other(OtherJson::Logs)),
            (br#"{"resourceMetrics": []}"#, Kind::Other(OtherJson::Metrics)),
            (br#"{"data": [{"traceID": "ab", "spans": [{"traceID": "ab", "spanID": "cd"}]}]}"#, Kind::Jaeger),
            (br#"{"data": [], "total": 0, "errors": null}"#, Kind::Other(OtherJson::Empty)),
            (br#"{"data": null}"#, Kind::Other(OtherJson::Empty)),
            (br#"{"data": {"result": [1]}}"#, Kind::UnknownJson),
            (br#"{"traces": [{"traceID": "ab", "rootServiceName": "api"}]}"#, Kind::Other(OtherJson::Search)),
            (br#"[{"traceId": "ab", "id": "cd"}]"#, Kind::Zipkin),
            (br#"[[{"traceId": "ab", "id": "cd"}]]"#, Kind::Zipkin),
            (b"[[]]", Kind::Other(OtherJson::Empty)),
            (b"[1, 2]", Kind::UnknownJson),
            (b"\x0a\x03", Kind::OtlpProtobuf),
            (b"\x00\x00\x00\x05\x0a\x03", Kind::Framed),
            (b"\x00\x00\x00\x05\x28\xb5\x2f\xfd\x01", Kind::Framed),
            (b"\x00\x00\x00\x05{\"res", Kind::Framed),
            (b"\x00\x00\x00\x00\x0a", Kind::Unknown),
            (b"\x1f\x8b\x08", Kind::Gzip),
            (b"\x28\xb5\x2f\xfd", Kind::Zstd),
            (b"\xff\xfe{\x00", Kind::Utf16),
            (b"PK\x03\x04", Kind::Unknown),
            (b"", Kind::OtlpProtobuf),
        ] {
            assert_eq!(sniff(text), kind, "{}", String::from_utf8_lossy(text));
        }
    }
}

//! What a file contains, judging by how it begins.

use memchr::memmem;

use super::spanless::{self, Spanless};

/// What a file contains.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    Snapshot,
    Overheard,
    Receiver,
    /// Requests in JSON, as in OTLP, or as Jaeger's API wraps them. They may be of any signal.
    OtlpJson,
    /// The same, as Tempo wraps them.
    Tempo,
    /// The same, as Grafana downloads a trace of Tempo.
    Grafana,
    /// One request, of any signal.
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
    /// Something known that has no spans.
    Spanless(Spanless),
    /// JSON of another kind; in a folder it is skipped.
    UnknownJson,
    Unknown,
}

/// How much of the beginning of a file is looked at to recognise it, in bytes.
pub const BEGINNING: u64 = 4096;

/// A byte order mark, with which some programs begin UTF-8.
pub const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

const GZIP: &[u8] = &[0x1f, 0x8b];
/// How a zstd frame begins: <https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1>.
pub const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// The largest window of a zstd frame, as a power of two: 128 MiB, the default limit of the
/// `zstd` command.
const WINDOW: u32 = 27;
/// The smallest that a decoder must know (<https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1.1.2>):
/// 8 MiB, which is what encoders use unless told otherwise.
const LEAST_WINDOW: u32 = 23;

/// The largest window of a zstd frame where so many bytes may be held, as a power of two.
pub fn window_within(longest: usize) -> u32 {
    longest.max(1).ilog2().clamp(LEAST_WINDOW, WINDOW)
}

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
    if let Some(spanless) = spanless::page_or_line(text) {
        return Kind::Spanless(spanless);
    }
    match text.first() {
        Some(b'{') if is_json_object(beginning) => object(text),
        Some(b'[') if !is_protobuf_before_a_list(beginning, text) => list(text),
        Some(_) if beginning.first() == Some(&FIRST_FIELD) => Kind::OtlpProtobuf,
        Some(b'{') => Kind::UnknownJson,
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
    let first_key = text[1..].trim_ascii_start();
    let begins_with = |word: &[u8]| first_key.starts_with(word);
    if is_empty(text) {
        return Kind::Spanless(Spanless::Empty);
    }
    let holds = |word: &[u8]| memmem::find(text, word).is_some();
    for (key, kind) in [(&b"\"trace\""[..], Kind::Tempo), (b"\"result\"", Kind::OtlpJson)] {
        let Some(value) = first_key.strip_prefix(key) else { continue };
        return match value.trim_ascii_start().strip_prefix(b":") {
            Some(value) if is_empty(value) => Kind::Spanless(Spanless::Empty),
            _ if holds(b"\"resourceSpans\"") || holds(b"\"batches\"") => kind,
            _ => Kind::UnknownJson,
        };
    }
    let is_error = begins_with(b"\"error\"") || begins_with(b"\"errors\"");
    if is_error || (begins_with(b"\"code\"") && holds(b"\"message\"")) {
        return Kind::Spanless(spanless::failed(text));
    }
    if begins_with(b"\"log\"") && holds(b"\"entries\"") {
        return Kind::Spanless(Spanless::Har);
    }
    // The first key decides: later ones may be anything.
    let known: [(&[u8], Kind); 14] = [
        (b"\"resourceSpans\"", Kind::OtlpJson),
        (b"\"resource_spans\"", Kind::OtlpJson),
        (b"\"batches\"", if holds(b"\"instrumentationLibrarySpans\"") { Kind::Grafana } else { Kind::Tempo }),
        (b"\"resourceLogs\"", Kind::OtlpJson),
        (b"\"resource_logs\"", Kind::OtlpJson),
        (b"\"resourceMetrics\"", Kind::OtlpJson),
        (b"\"resource_metrics\"", Kind::OtlpJson),
        (b"\"resourceProfiles\"", Kind::OtlpJson),
        (b"\"resource_profiles\"", Kind::OtlpJson),
        (b"\"traces\"", Kind::Spanless(Spanless::Search)),
        (b"\"data\"", Kind::Jaeger),
        (b"\"spans\"", Kind::Jaeger),
        (b"\"traceID\"", Kind::Jaeger),
        (b"\"processes\"", Kind::Jaeger),
    ];
    let first = known
        .into_iter()
        .filter_map(|(word, kind)| memmem::find(text, word).map(|at| (at, word, kind)))
        .min_by_key(|(at, ..)| *at);
    match first {
        Some((at, word, kind @ (Kind::Jaeger | Kind::Spanless(Spanless::Search)))) => {
            let value = text[at + word.len()..].trim_ascii_start().strip_prefix(b":").unwrap_or_default();
            if is_empty(value) {
                Kind::Spanless(spanless::empty_or_failed(text))
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
    let first = text[1..].trim_ascii_start();
    if is_empty(text) {
        return Kind::Spanless(Spanless::Empty);
    }
    // A list of anything that is known by itself, but for Zipkin's spans, which come in lists.
    match if first.starts_with(b"{") { object(first) } else { Kind::UnknownJson } {
        kind @ (Kind::OtlpJson | Kind::Tempo | Kind::Grafana | Kind::Jaeger) => kind,
        _ if holds(b"\"traceId\"") && holds(b"\"id\"") => Kind::Zipkin,
        kind @ Kind::Spanless(_) => kind,
        _ => Kind::UnknownJson,
    }
}

/// Whether it begins like an object in JSON. The first field of a request in protobuf is a
/// line feed in text, and a resource of 123 bytes a brace: behind it no key begins.
pub fn is_json_object(beginning: &[u8]) -> bool {
    let Some(within) = beginning.trim_ascii_start().strip_prefix(b"{") else { return false };
    match within.trim_ascii_start() {
        // It is cut, or long.
        [] => true,
        [b'"', letter, ..] => *letter >= b' ',
        [first, ..] => matches!(first, b'"' | b'}'),
    }
}

/// The same of a bracket, which a resource of 91 bytes is.
fn is_protobuf_before_a_list(beginning: &[u8], text: &[u8]) -> bool {
    let first = text[1..].trim_ascii_start().first();
    beginning.first() == Some(&FIRST_FIELD) && !first.is_none_or(|first| matches!(first, b'{' | b'[' | b']'))
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
            (br#"{"batches": [{"resource": {}}]}"#, Kind::Tempo),
            (br#"{"batches": [{"resource": {}, "instrumentationLibrarySpans": []}]}"#, Kind::Grafana),
            (br#"{"trace": {"resourceSpans": []}}"#, Kind::Tempo),
            (br#"{"trace": {"batches": []}}"#, Kind::Tempo),
            (br#"{"trace": {}, "metrics": {}}"#, Kind::Spanless(Spanless::Empty)),
            (br#"{"trace": 5}"#, Kind::UnknownJson),
            (br#"[{"resourceSpans": []}]"#, Kind::OtlpJson),
            (br#"[{"traceID": "ab", "spans": [{"traceID": "ab", "spanID": "cd"}]}]"#, Kind::Jaeger),
            (br#"[{"resourceLogs": [{}]}]"#, Kind::OtlpJson),
            (br#"{"resourceProfiles": [{}]}"#, Kind::OtlpJson),
            (br#"{"log": {"version": "1.2", "entries": []}}"#, Kind::Spanless(Spanless::Har)),
            (b"<!DOCTYPE html><html>", Kind::Spanless(Spanless::Page)),
            (b"{}", Kind::Spanless(Spanless::Empty)),
            (br#"{"result": {"resourceSpans": []}}"#, Kind::OtlpJson),
            (br#"{"resourceLogs": [{"body": "\"resourceSpans\""}]}"#, Kind::OtlpJson),
            (br#"{"resourceMetrics": []}"#, Kind::OtlpJson),
            (br#"{"data": [{"traceID": "ab", "spans": [{"traceID": "ab", "spanID": "cd"}]}]}"#, Kind::Jaeger),
            (br#"{"data": [], "total": 0, "errors": null}"#, Kind::Spanless(Spanless::Empty)),
            (br#"{"data": null}"#, Kind::Spanless(Spanless::Empty)),
            (br#"{"data": {"result": [1]}}"#, Kind::UnknownJson),
            (
                br#"{"traces": [{"traceID": "ab", "rootServiceName": "api"}]}"#,
                Kind::Spanless(Spanless::Search),
            ),
            (br#"[{"traceId": "ab", "id": "cd"}]"#, Kind::Zipkin),
            (br#"[[{"traceId": "ab", "id": "cd"}]]"#, Kind::Zipkin),
            (br#"[{"traceId": "ab", "name": "data", "id": "cd", "tags": {"error": "true"}}]"#, Kind::Zipkin),
            (b"[[]]", Kind::Spanless(Spanless::Empty)),
            (b"[1, 2]", Kind::UnknownJson),
            (b"\x0a\x03", Kind::OtlpProtobuf),
            (b"\n{\n \"resourceSpans\": []}", Kind::OtlpJson),
            (b"\n[\n{\"resourceSpans\": []}]", Kind::OtlpJson),
            (b"\x0a{\x0a\x20\x0a\x1e\x0a\x0cservice.name\x12", Kind::OtlpProtobuf),
            (b"\x0a{\x0a\"\x0a\x20\x0a\x0cservice.name\x12", Kind::OtlpProtobuf),
            (b"\x0a[\x0a\x20\x0a\x1e\x0a\x0cservice.name\x12", Kind::OtlpProtobuf),
            (b"{broken}", Kind::UnknownJson),
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

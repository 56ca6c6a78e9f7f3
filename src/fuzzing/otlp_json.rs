//! Spans in JSON: our readers, and the one of `opentelemetry-proto`.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde_json::Value;

use super::told::Told;
use crate::wire::otlp::{
    count_logs_json, count_metrics_json, decode_json, decode_json_documents, decode_json_stream,
    decode_protobuf, has_lone_half, mend,
};
use crate::wire::{jaeger, zipkin};

/// How many bytes of a document may be held.
const MOST: usize = 1 << 20;

/// What is a request to `opentelemetry-proto` and to us says the same to both, unless it has
/// what we alone read. One document is read as several are,
/// and as one that is too long to be held. No reader of JSON panics.
pub fn otlp_json(bytes: &[u8]) {
    let mut ours = Told::default();
    let read = decode_json(bytes, &mut ours);
    let mut documents = Told::default();
    let all = decode_json_documents(bytes, &mut documents, |_| {});
    if let Ok(counts) = &read {
        assert_eq!((all.ok(), documents), (Some(*counts), Told { lines: ours.lines.clone() }));
    }
    let mut mended = bytes.to_vec();
    mend(&mut mended);
    assert!(!has_lone_half(&mended));
    let mut streamed = Told::default();
    let from_stream = decode_json_stream(bytes, MOST, &mut streamed, |_| {});
    if let (Ok(one), Ok(other)) = (&read, &from_stream) {
        assert_eq!((one, &ours), (other, &streamed), "{}", String::from_utf8_lossy(bytes));
    }
    let _ = jaeger::decode(bytes, MOST, &mut Told::default(), |_| {});
    let _ = zipkin::decode(bytes, MOST, &mut Told::default(), |_| {});
    let _ = count_metrics_json(bytes);
    let _ = count_logs_json(bytes);

    let (Ok(counts), Ok(request)) = (read, serde_json::from_slice::<ExportTraceServiceRequest>(bytes)) else {
        return;
    };
    // What neither reads may be no text.
    let Ok(document) = serde_json::from_slice::<Value>(bytes) else { return };
    if counts.lenient > 0 || is_read_by_one_alone(&document) {
        return;
    }
    let mut theirs = Told::default();
    let again = decode_protobuf(&request.encode_to_vec(), &mut theirs).expect("prost wrote it");
    assert_eq!((&ours, counts), (&theirs, again), "{document}");
}

/// Whether a document has what one of the two readers takes and the other passes over, by
/// the names of its members.
fn is_read_by_one_alone(value: &Value) -> bool {
    match value {
        Value::Object(members) => {
            // The names of other formats, and of protobuf.
            let is_alias = |name: &String| {
                name.contains('_')
                    || ["batches", "trace", "result", "instrumentationLibrarySpans"].contains(&name.as_str())
            };
            // Of several values the one takes the last, the other the first that it knows.
            let values = members.keys().filter(|name| name.ends_with("Value")).count();
            // The one takes the prefix for a part of the number.
            let is_prefixed = |value: &Value| {
                value.as_str().is_some_and(|text| text.starts_with("0x") || text.starts_with('+'))
            };
            values > 1
                || members.keys().any(is_alias)
                || members.values().any(|value| is_prefixed(value) || is_read_by_one_alone(value))
        }
        Value::Array(list) => list.iter().any(is_read_by_one_alone),
        _ => false,
    }
}

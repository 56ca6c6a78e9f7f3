//! Protobuf to JSON on the fly: each field is written when it is read, so that memory does
//! not grow with the request, and what is empty in one is empty in the other.

use std::io::{self, BufWriter, Write};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::protobuf::{Fields, Value};

/// What a field holds, and how JSON has it.
#[derive(Clone, Copy)]
enum Holds {
    Text,
    /// A text that is written if it is empty too: the reader of `opentelemetry-proto` takes
    /// no pair without a key.
    Key,
    /// Hexadecimal, which OTLP/JSON has for ids.
    Id,
    /// Base64.
    Bytes,
    Flag,
    Number,
    Enum,
    /// 64 bits, as a text.
    Long,
    /// The same with a sign.
    Signed,
    Double,
    One(&'static Schema),
    Many(&'static Schema),
    /// The same, written if there are none too: that reader takes no list without values.
    Values(&'static Schema),
}

/// The fields of a message: number, name, and what it holds. The numbers are those of
/// `opentelemetry/proto/{trace,common,resource}/v1/*.proto`.
type Schema = [Field];
type Field = (u32, &'static str, Holds);

static REQUEST: [Field; 1] = [(1, "resourceSpans", Holds::Many(&RESOURCE_SPANS))];
static RESOURCE_SPANS: [Field; 3] = [
    (1, "resource", Holds::One(&RESOURCE)),
    (2, "scopeSpans", Holds::Many(&SCOPE_SPANS)),
    (3, "schemaUrl", Holds::Text),
];
static RESOURCE: [Field; 2] =
    [(1, "attributes", Holds::Many(&PAIR)), (2, "droppedAttributesCount", Holds::Number)];
static SCOPE_SPANS: [Field; 3] =
    [(1, "scope", Holds::One(&SCOPE)), (2, "spans", Holds::Many(&SPAN)), (3, "schemaUrl", Holds::Text)];
static SCOPE: [Field; 4] = [
    (1, "name", Holds::Text),
    (2, "version", Holds::Text),
    (3, "attributes", Holds::Many(&PAIR)),
    (4, "droppedAttributesCount", Holds::Number),
];
static SPAN: [Field; 16] = [
    (1, "traceId", Holds::Id),
    (2, "spanId", Holds::Id),
    (3, "traceState", Holds::Text),
    (4, "parentSpanId", Holds::Id),
    (5, "name", Holds::Text),
    (6, "kind", Holds::Enum),
    (7, "startTimeUnixNano", Holds::Long),
    (8, "endTimeUnixNano", Holds::Long),
    (9, "attributes", Holds::Many(&PAIR)),
    (10, "droppedAttributesCount", Holds::Number),
    (11, "events", Holds::Many(&EVENT)),
    (12, "droppedEventsCount", Holds::Number),
    (13, "links", Holds::Many(&LINK)),
    (14, "droppedLinksCount", Holds::Number),
    (15, "status", Holds::One(&STATUS)),
    (16, "flags", Holds::Number),
];
static EVENT: [Field; 4] = [
    (1, "timeUnixNano", Holds::Long),
    (2, "name", Holds::Text),
    (3, "attributes", Holds::Many(&PAIR)),
    (4, "droppedAttributesCount", Holds::Number),
];
static LINK: [Field; 6] = [
    (1, "traceId", Holds::Id),
    (2, "spanId", Holds::Id),
    (3, "traceState", Holds::Text),
    (4, "attributes", Holds::Many(&PAIR)),
    (5, "droppedAttributesCount", Holds::Number),
    (6, "flags", Holds::Number),
];
static STATUS: [Field; 2] = [(2, "message", Holds::Text), (3, "code", Holds::Enum)];
static PAIR: [Field; 2] = [(1, "key", Holds::Key), (2, "value", Holds::One(&ANY))];
static ANY: [Field; 7] = [
    (1, "stringValue", Holds::Text),
    (2, "boolValue", Holds::Flag),
    (3, "intValue", Holds::Signed),
    (4, "doubleValue", Holds::Double),
    (5, "arrayValue", Holds::One(&ARRAY)),
    (6, "kvlistValue", Holds::One(&LIST)),
    (7, "bytesValue", Holds::Bytes),
];
static ARRAY: [Field; 1] = [(1, "values", Holds::Values(&ANY))];
static LIST: [Field; 1] = [(1, "values", Holds::Values(&PAIR))];

/// How deep values may nest; deeper ones are left out. A request itself needs eight levels.
const DEPTH: usize = 64;

/// Writes an `ExportTraceServiceRequest` as one line of OTLP/JSON. After a break in it, the
/// rest is left out.
///
/// # Errors
///
/// What the writer says.
pub fn transcode(body: &[u8], out: &mut dyn Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    message(body, &REQUEST, DEPTH, &mut out)?;
    out.write_all(b"\n")?;
    out.flush()
}

fn message(bytes: &[u8], schema: &Schema, depth: usize, out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"{")?;
    let mut is_first = true;
    let schema = if depth == 0 { &[] } else { schema };
    for (number, name, holds) in schema {
        let mut fields = Fields::of(bytes, 0)
            .map_while(Result::ok)
            .filter_map(|(given, value)| (given == *number).then_some(value));
        let comma = if is_first { "" } else { "," };
        if let Holds::Many(inner) | Holds::Values(inner) = *holds {
            let message_of = |value| match value {
                Value::Bytes(bytes, _) => Some(bytes),
                _ => None,
            };
            let mut values = fields.filter_map(message_of).peekable();
            if values.peek().is_none() && matches!(holds, Holds::Many(_)) {
                continue;
            }
            write!(out, "{comma}\"{name}\":[")?;
            is_first = false;
            for (place, bytes) in values.enumerate() {
                out.write_all(if place == 0 { b"" } else { b"," })?;
                message(bytes, inner, depth - 1, out)?;
            }
            out.write_all(b"]")?;
            continue;
        }
        // If a field is repeated, the last one counts.
        let value = match (fields.by_ref().last(), *holds) {
            (Some(value), _) => value,
            (None, Holds::Key) => Value::Bytes(b"", 0),
            (None, _) => continue,
        };
        write!(out, "{comma}\"{name}\":")?;
        is_first = false;
        one(&value, *holds, depth, out)?;
    }
    out.write_all(b"}")
}

#[allow(
    clippy::cast_possible_wrap,
    clippy::cast_possible_truncation,
    reason = "an int64 is a varint of its two's complement"
)]
fn one(value: &Value<'_>, holds: Holds, depth: usize, out: &mut impl Write) -> io::Result<()> {
    match (holds, value) {
        (Holds::Text | Holds::Key, Value::Bytes(text, _)) => {
            Ok(serde_json::to_writer(out, &*String::from_utf8_lossy(text))?)
        }
        (Holds::Id, Value::Bytes(id, _)) => {
            out.write_all(b"\"")?;
            id.iter().try_for_each(|byte| write!(out, "{byte:02x}"))?;
            out.write_all(b"\"")
        }
        (Holds::Bytes, Value::Bytes(bytes, _)) => write!(out, "\"{}\"", BASE64_STANDARD.encode(bytes)),
        (Holds::Flag, Value::Number(flag)) => write!(out, "{}", *flag != 0),
        (Holds::Number, Value::Number(number)) => write!(out, "{}", *number as u32),
        (Holds::Enum, Value::Number(number)) => write!(out, "{}", *number as i32),
        (Holds::Long, Value::Number(number)) => write!(out, "\"{number}\""),
        (Holds::Signed, Value::Number(number)) => write!(out, "\"{}\"", *number as i64),
        (Holds::Double, Value::Number(bits)) => match f64::from_bits(*bits) {
            number if number.is_finite() => write!(out, "{number:?}"),
            number if number.is_nan() => out.write_all(b"\"NaN\""),
            number => write!(out, "\"{}Infinity\"", if number > 0.0 { "" } else { "-" }),
        },
        (Holds::One(schema) | Holds::Many(schema) | Holds::Values(schema), Value::Bytes(bytes, _)) => {
            message(bytes, schema, depth - 1, out)
        }
        _ => out.write_all(b"null"),
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
    use opentelemetry_proto::tonic::resource::v1::Resource;
    use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
    use prost::Message;

    use super::*;

    /// Regression: `opentelemetry-proto` took no request with any of these.
    #[test]
    fn what_is_empty_is_written_where_a_reader_asks_for_it() {
        let values = [
            Value::ArrayValue(ArrayValue::default()),
            Value::KvlistValue(KeyValueList::default()),
            Value::KvlistValue(KeyValueList { values: vec![KeyValue::default()] }),
        ];
        let attributes = values
            .map(|value| KeyValue { value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() });
        let resource = Some(Resource { attributes: attributes.to_vec(), ..Resource::default() });
        let resource_spans = vec![ResourceSpans { resource, ..ResourceSpans::default() }];
        let request = ExportTraceServiceRequest { resource_spans };
        let mut json = Vec::new();
        transcode(&request.encode_to_vec(), &mut json).expect("memory takes it");
        let text = String::from_utf8_lossy(&json);
        assert!(text.contains(r#"{"key":"","value":{"arrayValue":{"values":[]}}}"#), "{text}");
        let read: ExportTraceServiceRequest = serde_json::from_slice(&json).expect("it reads it");
        assert_eq!(read, request, "{text}");
    }
}

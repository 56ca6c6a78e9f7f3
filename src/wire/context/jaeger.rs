//! `uber-trace-id`: <https://www.jaegertracing.io/sdk-migration/#propagation-format>.

use super::{flaw, flaw_at, is_hex, is_zero};
use crate::model::{Flaw, FlawKind, Sampling, SpanContext, SpanId, TraceId};

/// Reads `{trace}:{span}:{parent}:{flags}`. Ids may be shorter than their full
/// length; colons may be percent-encoded.
///
/// # Errors
///
/// The flaw that best explains why a conforming reader ignores the value.
pub fn read(text: &str) -> Result<SpanContext, Flaw> {
    let decoded;
    let value = if text.contains('%') {
        decoded = text.replace("%3A", ":").replace("%3a", ":");
        &decoded
    } else {
        text
    };
    let fields: Vec<&str> = value.split(':').collect();
    let [trace_id, span_id, _parent, flags] = fields[..] else {
        return Err(flaw(FlawKind::Unrecognised, text));
    };
    let explain = |field: &str, longest: usize| {
        let kind = match field {
            _ if is_zero(field) => FlawKind::AllZero,
            _ if !is_hex(field) => FlawKind::NotHexadecimal,
            _ if field.is_empty() || field.len() > longest => FlawKind::WrongLength,
            _ => FlawKind::Unrecognised,
        };
        if std::ptr::eq(value, text) { flaw_at(kind, text, field) } else { flaw(kind, text) }
    };
    let padded = |field: &str, length: usize| format!("{field:0>length$}");
    let trace = TraceId::parse_hex(padded(trace_id, 32).as_bytes())
        .filter(|id| !id.is_zero() && !trace_id.is_empty());
    let span =
        SpanId::parse_hex(padded(span_id, 16).as_bytes()).filter(|id| !id.is_zero() && !span_id.is_empty());
    let bits = u8::from_str_radix(flags, 16).map_err(|_| explain(flags, 2))?;
    Ok(SpanContext {
        trace_id: trace.ok_or_else(|| explain(trace_id, 32))?,
        span_id: span.ok_or_else(|| explain(span_id, 16))?,
        sampling: if bits & 1 == 1 { Sampling::Sampled } else { Sampling::NotSampled },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_ids_are_padded_and_colons_may_be_encoded() {
        let plain = read("3f6a:b1:0:1").expect("valid");
        assert_eq!(plain.trace_id.low64(), 0x3f6a);
        assert_eq!(Ok(plain), read("3f6a%3Ab1%3A0%3A1"));
        assert_eq!(read("3f6a:b1:0").expect_err("three fields").kind, FlawKind::Unrecognised);
        assert_eq!(read("0:b1:0:1").expect_err("zero").kind, FlawKind::AllZero);
        assert_eq!(read(":b1:0:1").expect_err("empty").kind, FlawKind::WrongLength);
    }
}

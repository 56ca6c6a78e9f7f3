//! `uber-trace-id`: <https://www.jaegertracing.io/sdk-migration/#propagation-format>.
//!
//! Read as OpenTelemetry's propagator for Python reads it
//! (`opentelemetry.propagators.jaeger`), by `int(field, 16)`. That accepts signs and `0x`
//! too, but nobody writes such an id on purpose.

use super::{flaw, flaw_at, is_hex};
use crate::model::{Flaw, FlawKind, Sampling, SpanContext, SpanId, TraceId};

/// Reads `{trace}:{span}:{parent}:{flags}`. Ids may be shorter than their full
/// length; colons may be percent-encoded, as Jaeger's own clients write them.
///
/// # Errors
///
/// The flaw that best explains why a conforming reader ignores the value.
pub fn read(text: &str) -> Result<SpanContext, Flaw> {
    let mut fields = Fields(Some(text));
    let (Some(trace_id), Some(span_id), Some(_parent), Some(flags), None) =
        (fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(flaw(FlawKind::Unrecognised, text));
    };
    let trace = number(trace_id, 32).filter(|id| *id != 0);
    let span = number(span_id, 16).filter(|id| *id != 0);
    Ok(SpanContext {
        trace_id: trace
            .map(|id| TraceId::new(id.to_be_bytes()))
            .ok_or_else(|| explain(text, trace_id, 32))?,
        span_id: span
            .and_then(|id| u64::try_from(id).ok())
            .map(|id| SpanId::new(id.to_be_bytes()))
            .ok_or_else(|| explain(text, span_id, 16))?,
        sampling: match number(flags, 32).ok_or_else(|| explain(text, flags, 32))? & 1 {
            1 => Sampling::Sampled,
            _ => Sampling::NotSampled,
        },
    })
}

/// The fields between colons or percent-encoded colons.
struct Fields<'a>(Option<&'a str>);

impl<'a> Iterator for Fields<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.0?;
        let colon =
            [":", "%3A", "%3a"].into_iter().filter_map(|colon| Some((rest.find(colon)?, colon.len())));
        let (field, rest) = match colon.min() {
            Some((at, width)) => (&rest[..at], Some(&rest[at + width..])),
            None => (rest, None),
        };
        self.0 = rest;
        Some(field)
    }
}

/// A hexadecimal number of at most `longest` digits. Leading zeros and white
/// space around it do not count.
fn number(field: &str, longest: usize) -> Option<u128> {
    let digits = field.trim();
    let has_length = !digits.is_empty() && digits.trim_start_matches('0').len() <= longest;
    (has_length && is_hex(digits)).then(|| u128::from_str_radix(digits, 16).ok()).flatten()
}

fn explain(text: &str, field: &str, longest: usize) -> Flaw {
    let kind = match field {
        _ if number(field, longest) == Some(0) => FlawKind::AllZero,
        _ if !is_hex(field.trim()) => FlawKind::NotHexadecimal,
        _ => FlawKind::WrongLength,
    };
    flaw_at(kind, text, field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_ids_are_padded_and_colons_may_be_encoded() {
        let plain = read("3f6a:b1:0:1").expect("valid");
        assert_eq!(plain.trace_id.low64(), 0x3f6a);
        assert_eq!(plain.span_id.to_string(), "00000000000000b1");
        assert_eq!(plain.sampling, Sampling::Sampled);
        assert_eq!(Ok(plain), read("3f6a%3Ab1%3a0:1"));
        assert_eq!(read("3f6a:b1:0:2").expect("valid").sampling, Sampling::NotSampled);
    }

    #[test]
    fn each_flaw_is_named_and_marked() {
        for (text, kind, marked) in [
            ("3f6a:b1:0", FlawKind::Unrecognised, "3f6a:b1:0"),
            ("3f6a:b1:0:1:2", FlawKind::Unrecognised, "3f6a:b1:0:1:2"),
            ("0:b1:0:1", FlawKind::AllZero, "0"),
            (":b1:0:1", FlawKind::WrongLength, ""),
            ("3f6a%3A0b1000000000000001%3A0%3A1", FlawKind::WrongLength, "0b1000000000000001"),
            ("3f6a:b1:0:x", FlawKind::NotHexadecimal, "x"),
        ] {
            let flaw = read(text).expect_err(text);
            assert_eq!(flaw.kind, kind, "{text}");
            assert_eq!(&text[flaw.marks[0].start..flaw.marks[0].end], marked, "{text}");
        }
    }
}

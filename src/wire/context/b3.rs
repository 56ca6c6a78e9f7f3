//! B3: <https://github.com/openzipkin/b3-propagation>.

use super::{Reading, flaw, flaw_at, is_hex, is_zero};
use crate::model::{Flaw, FlawKind, Sampling, SpanContext, SpanId, TraceId};

/// Reads the single header `b3`: `{trace}-{span}[-{sampling}[-{parent}]]`.
///
/// `0`, `1` and `d` alone are legal decisions without a context.
///
/// # Errors
///
/// The flaw that best explains why a conforming reader ignores the value.
pub fn read_single(text: &str) -> Reading {
    let text = text.trim();
    let mut fields = text.split('-');
    let (Some(trace_id), span_id) = (fields.next(), fields.next()) else {
        return Err(flaw(FlawKind::Unrecognised, text));
    };
    let Some(span_id) = span_id else {
        return if matches!(text, "0" | "1" | "d") {
            Ok(None)
        } else {
            Err(flaw(FlawKind::Unrecognised, text))
        };
    };
    let sampling = match fields.next() {
        None => Sampling::Deferred,
        Some("1" | "d") => Sampling::Sampled,
        Some("0") => Sampling::NotSampled,
        Some(other) => return Err(flaw_at(FlawKind::Unrecognised, text, other)),
    };
    ids(text, trace_id, span_id, sampling).map(Some)
}

/// The headers of the multi-header form, as they were found.
#[derive(Clone, Copy, Default, Debug)]
pub struct Multi<'a> {
    pub trace_id: Option<&'a str>,
    pub span_id: Option<&'a str>,
    pub sampled: Option<&'a str>,
    pub flags: Option<&'a str>,
}

/// Reads the multi-header form, `x-b3-traceid` and its companions.
///
/// # Errors
///
/// The flaw that best explains why a conforming reader ignores them; its marks
/// are in the trace id.
pub fn read_multi(headers: Multi<'_>) -> Reading {
    let sampling = match (headers.flags, headers.sampled) {
        (Some("1"), _) | (_, Some("1" | "true" | "True" | "d")) => Sampling::Sampled,
        (_, Some("0" | "false" | "False")) => Sampling::NotSampled,
        _ => Sampling::Deferred,
    };
    match (headers.trace_id, headers.span_id) {
        (None, None) => Ok(None),
        (Some(trace_id), Some(span_id)) => match ids(trace_id, trace_id, span_id, sampling) {
            Err(flaw)
                if !span_id.is_empty()
                    && TraceId::parse_hex(trace_id.as_bytes()).is_some_and(|id| !id.is_zero()) =>
            {
                // The span id is at fault, which is not in the text that is quoted.
                Err(Flaw { kind: flaw.kind, marks: Vec::new() })
            }
            reading => reading.map(Some),
        },
        (Some(trace_id), None) => Err(flaw(FlawKind::Incomplete, trace_id)),
        (None, Some(span_id)) => Err(flaw(FlawKind::Incomplete, span_id)),
    }
}

fn ids(text: &str, trace_id: &str, span_id: &str, sampling: Sampling) -> Result<SpanContext, Flaw> {
    let explain = |field: &str, lengths: &[usize]| {
        let kind = match field {
            _ if is_zero(field) && lengths.contains(&field.len()) => FlawKind::AllZero,
            _ if field.starts_with("0x") => FlawKind::HexPrefix,
            _ if !is_hex(field) => FlawKind::NotHexadecimal,
            _ => FlawKind::WrongLength,
        };
        flaw_at(kind, text, field)
    };
    let trace = TraceId::parse_hex(trace_id.as_bytes()).filter(|id| !id.is_zero());
    let span = SpanId::parse_hex(span_id.as_bytes()).filter(|id| !id.is_zero());
    Ok(SpanContext {
        trace_id: trace.ok_or_else(|| explain(trace_id, &[16, 32]))?,
        span_id: span.ok_or_else(|| explain(span_id, &[16]))?,
        sampling,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_alone_is_legal_and_no_context() {
        for decision in ["0", "1", "d"] {
            assert_eq!(read_single(decision), Ok(None));
        }
    }

    #[test]
    fn short_and_long_trace_ids_are_one() {
        let long = read_single("0000000000000000463ac35c9f6413ad-a2fb4a1d1a96d312-1").expect("valid");
        let short = read_single("463ac35c9f6413ad-a2fb4a1d1a96d312-1").expect("valid");
        assert_eq!(long, short);
    }

    #[test]
    fn no_flag_is_deferred_and_a_parent_may_follow() {
        let sampling = |text: &str| read_single(text).expect("valid").expect("a context").sampling;
        assert_eq!(sampling("463ac35c9f6413ad-a2fb4a1d1a96d312"), Sampling::Deferred);
        assert_eq!(sampling("463ac35c9f6413ad-a2fb4a1d1a96d312-d-05e3ac9a4f6e3b90"), Sampling::Sampled);
        assert_eq!(sampling("463ac35c9f6413ad-a2fb4a1d1a96d312-0"), Sampling::NotSampled);
    }

    #[test]
    fn a_half_is_incomplete() {
        let half = Multi { trace_id: Some("463ac35c9f6413ad"), ..Multi::default() };
        assert_eq!(read_multi(half).expect_err("no span id").kind, FlawKind::Incomplete);
        assert_eq!(read_multi(Multi::default()), Ok(None));
        let debug = Multi {
            trace_id: half.trace_id,
            span_id: Some("a2fb4a1d1a96d312"),
            flags: Some("1"),
            sampled: None,
        };
        assert_eq!(read_multi(debug).expect("valid").expect("a context").sampling, Sampling::Sampled);
    }
}

//! B3: <https://github.com/openzipkin/b3-propagation>.
//!
//! Read as OpenTelemetry's propagator for Python reads it (`opentelemetry.propagators.b3`):
//! ids in either case, and an unknown sampling state means "not sampled".

use super::{Reading, flaw, flaw_at, flawed_id};
use crate::model::{Flaw, FlawKind, Sampling, SpanContext, SpanId, TraceId};

/// Reads the single header `b3`: `{trace}-{span}[-{sampling}[-{parent}]]`.
///
/// `0`, `1`, `d` and the like alone are valid decisions without a context.
///
/// # Errors
///
/// The flaw that best explains why a conforming reader ignores the value.
pub fn read_single(text: &str) -> Reading {
    let mut fields = text.splitn(5, '-');
    let trace_id = fields.next().unwrap_or_default();
    let Some(span_id) = fields.next() else {
        return match trace_id {
            "0" | "1" | "d" | "true" | "false" | "True" | "False" => Ok(None),
            id if TraceId::parse_hex(id.as_bytes()).is_some() => Err(flaw(FlawKind::Incomplete, text)),
            _ => Err(flaw(FlawKind::Unrecognised, text)),
        };
    };
    let sampling = sampling(fields.next());
    let _parent = fields.next();
    if let Some(rest) = fields.next() {
        return Err(flaw_at(FlawKind::WrongLength, text, rest));
    }
    Ok(Some(SpanContext {
        trace_id: trace_of(trace_id).ok_or_else(|| flawed_id(text, trace_id, &[16, 32]))?,
        span_id: span_of(span_id).ok_or_else(|| flawed_id(text, span_id, &[16]))?,
        sampling,
    }))
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
/// The flaw that best explains why a conforming reader ignores them. Its marks are in the
/// trace id, which is the text that is quoted; a flaw of a companion has none.
pub fn read_multi(headers: Multi<'_>) -> Reading {
    let (trace_id, span_id) = match (headers.trace_id, headers.span_id) {
        (None, None) => return Ok(None),
        (Some(trace_id), None) => return Err(flaw(FlawKind::Incomplete, trace_id)),
        (None, Some(_)) => return Err(Flaw { kind: FlawKind::Incomplete, marks: Vec::new() }),
        (Some(trace_id), Some(span_id)) => (trace_id, span_id),
    };
    let elsewhere = |flaw: Flaw| Flaw { marks: Vec::new(), ..flaw };
    Ok(Some(SpanContext {
        trace_id: trace_of(trace_id).ok_or_else(|| flawed_id(trace_id, trace_id, &[16, 32]))?,
        span_id: span_of(span_id).ok_or_else(|| elsewhere(flawed_id(span_id, span_id, &[16])))?,
        sampling: if headers.flags == Some("1") { Sampling::Sampled } else { sampling(headers.sampled) },
    }))
}

fn trace_of(id: &str) -> Option<TraceId> {
    TraceId::parse_hex(id.as_bytes()).filter(|id| !id.is_zero())
}

fn span_of(id: &str) -> Option<SpanId> {
    SpanId::parse_hex(id.as_bytes()).filter(|id| !id.is_zero())
}

fn sampling(state: Option<&str>) -> Sampling {
    match state {
        None => Sampling::Deferred,
        Some("1" | "d" | "true" | "True") => Sampling::Sampled,
        Some(_) => Sampling::NotSampled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDS: &str = "463ac35c9f6413ad-a2fb4a1d1a96d312";

    #[test]
    fn a_decision_alone_is_legal_and_no_context() {
        for decision in ["0", "1", "d"] {
            assert_eq!(read_single(decision), Ok(None));
        }
    }

    #[test]
    fn short_and_long_trace_ids_of_either_case_are_one() {
        let short = read_single(IDS).expect("valid");
        assert_eq!(read_single(&format!("0000000000000000{IDS}")), Ok(short));
        assert_eq!(read_single(&IDS.to_uppercase()), Ok(short));
    }

    #[test]
    fn no_state_is_deferred_and_a_parent_may_follow() {
        let sampling =
            |rest: &str| read_single(&format!("{IDS}{rest}")).expect("valid").expect("a context").sampling;
        assert_eq!(sampling(""), Sampling::Deferred);
        assert_eq!(sampling("-1"), Sampling::Sampled);
        assert_eq!(sampling("-d-05e3ac9a4f6e3b90"), Sampling::Sampled);
        assert_eq!(sampling("-0"), Sampling::NotSampled);
    }

    #[test]
    fn each_flaw_is_named_and_marked() {
        for (text, kind, marked) in [
            ("463ac35c9f6413ad", FlawKind::Incomplete, "463ac35c9f6413ad"),
            ("", FlawKind::Unrecognised, ""),
            ("463ac35c9f6413a-a2fb4a1d1a96d312-1", FlawKind::WrongLength, "463ac35c9f6413a"),
            ("0000000000000000-a2fb4a1d1a96d312-1", FlawKind::AllZero, "0000000000000000"),
            ("463ac35c9f6413ad-0x2fb4a1d1a96d31-1", FlawKind::HexPrefix, "0x2fb4a1d1a96d31"),
            ("463ac35c9f6413ad-11743735102347653138-1", FlawKind::DecimalIds, "11743735102347653138"),
            ("463ac35c9f6413ad-a2fb4a1d1a96d31g-1", FlawKind::NotHexadecimal, "a2fb4a1d1a96d31g"),
            ("463ac35c9f6413ad-a2fb4a1d1a96d312-1-05e3ac9a4f6e3b90-x", FlawKind::WrongLength, "x"),
        ] {
            let flaw = read_single(text).expect_err(text);
            assert_eq!(flaw.kind, kind, "{text}");
            assert_eq!(&text[flaw.marks[0].start..flaw.marks[0].end], marked, "{text}");
        }
    }

    #[test]
    fn the_multi_header_form_needs_both_ids() {
        let both = Multi {
            trace_id: Some("463ac35c9f6413ad"),
            span_id: Some("a2fb4a1d1a96d312"),
            ..Multi::default()
        };
        let sampling = |headers| read_multi(headers).expect("valid").expect("a context").sampling;
        assert_eq!(sampling(both), Sampling::Deferred);
        assert_eq!(sampling(Multi { flags: Some("1"), sampled: Some("0"), ..both }), Sampling::Sampled);
        assert_eq!(sampling(Multi { sampled: Some("true"), ..both }), Sampling::Sampled);
        assert_eq!(sampling(Multi { sampled: Some("false"), ..both }), Sampling::NotSampled);

        assert_eq!(read_multi(Multi::default()), Ok(None));
        let kind = |headers| read_multi(headers).expect_err("no context").kind;
        assert_eq!(kind(Multi { span_id: None, ..both }), FlawKind::Incomplete);
        assert_eq!(kind(Multi { trace_id: None, ..both }), FlawKind::Incomplete);
        let flawed = read_multi(Multi { span_id: Some("a2fb"), ..both }).expect_err("short");
        assert_eq!(flawed, Flaw { kind: FlawKind::WrongLength, marks: Vec::new() });
    }
}

//! `sentry-trace`: `{trace}-{span}[-{sampled}]`,
//! <https://develop.sentry.dev/sdk/telemetry/traces/#header-sentry-trace>.

use super::{flaw, flaw_at, flawed_id};
use crate::model::{Flaw, FlawKind, Sampling, SpanContext, SpanId, TraceId};

/// Reads a `sentry-trace` header.
///
/// # Errors
///
/// The flaw that best explains why it is none.
pub fn read(text: &str) -> Result<SpanContext, Flaw> {
    let mut fields = text.trim_matches([' ', '\t']).splitn(4, '-');
    let (trace_id, Some(span_id)) = (fields.next().unwrap_or_default(), fields.next()) else {
        return Err(flaw(FlawKind::Unrecognised, text));
    };
    let sampling = match fields.next() {
        None | Some("") => Sampling::Deferred,
        Some("1") => Sampling::Sampled,
        Some("0") => Sampling::NotSampled,
        Some(other) => return Err(flaw_at(FlawKind::Unrecognised, text, other)),
    };
    if let Some(rest) = fields.next() {
        return Err(flaw_at(FlawKind::WrongLength, text, rest));
    }
    let trace = TraceId::parse_hex(trace_id.as_bytes()).filter(|id| trace_id.len() == 32 && !id.is_zero());
    let span = SpanId::parse_hex(span_id.as_bytes()).filter(|id| !id.is_zero());
    Ok(SpanContext {
        trace_id: trace.ok_or_else(|| flawed_id(text, trace_id, &[32]))?,
        span_id: span.ok_or_else(|| flawed_id(text, span_id, &[16]))?,
        sampling,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decision_may_be_left_out() {
        let text = "8161a4da525b46d282cead7556c463b3-9ef87c133f4ed64b";
        assert_eq!(read(text).expect("valid").sampling, Sampling::Deferred);
        assert_eq!(read(&format!("{text}-0")).expect("valid").sampling, Sampling::NotSampled);
        assert_eq!(read(&format!(" {text}-1")).expect("valid").sampling, Sampling::Sampled);
    }

    #[test]
    fn each_flaw_is_named() {
        for (text, kind) in [
            ("sentry", FlawKind::Unrecognised),
            ("8161a4da525b46d2-9ef87c133f4ed64b", FlawKind::WrongLength),
            ("00000000000000000000000000000000-9ef87c133f4ed64b", FlawKind::AllZero),
            ("8161a4da525b46d282cead7556c463b3-9ef87c133f4ed64b-yes", FlawKind::Unrecognised),
        ] {
            assert_eq!(read(text).expect_err(text).kind, kind, "{text}");
        }
    }
}

//! `sentry-trace`: `{trace}-{span}[-{sampled}]`,
//! <https://develop.sentry.dev/sdk/telemetry/traces/#header-sentry-trace>.

use super::{flaw, flaw_at};
use crate::model::{Flaw, FlawKind, Sampling, SpanContext, SpanId, TraceId};

/// Reads a `sentry-trace` header.
///
/// # Errors
///
/// The flaw that best explains why it is none.
pub fn read(text: &str) -> Result<SpanContext, Flaw> {
    let fields: Vec<&str> = text.trim().split('-').collect();
    let (trace_id, span_id, sampled) = match fields[..] {
        [trace_id, span_id] => (trace_id, span_id, None),
        [trace_id, span_id, sampled] => (trace_id, span_id, Some(sampled)),
        _ => return Err(flaw(FlawKind::Unrecognised, text)),
    };
    let trace = TraceId::parse_hex(trace_id.as_bytes()).filter(|id| trace_id.len() == 32 && !id.is_zero());
    let span = SpanId::parse_hex(span_id.as_bytes()).filter(|id| !id.is_zero());
    Ok(SpanContext {
        trace_id: trace.ok_or_else(|| flaw_at(FlawKind::WrongLength, text, trace_id))?,
        span_id: span.ok_or_else(|| flaw_at(FlawKind::WrongLength, text, span_id))?,
        sampling: match sampled {
            Some("1") => Sampling::Sampled,
            Some("0") => Sampling::NotSampled,
            _ => Sampling::Deferred,
        },
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
        assert!(read("sentry").is_err());
    }
}

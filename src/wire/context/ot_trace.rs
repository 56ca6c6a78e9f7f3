//! `ot-tracer-traceid`, `ot-tracer-spanid`, `ot-tracer-sampled`: the headers of
//! OpenTracing's basic tracers, with ids of 64 bits each.
//!
//! Read as OpenTelemetry's propagator for Python reads it
//! (`opentelemetry.propagators.ot_trace`). It writes only the low 64 bits of a trace id and
//! pads them with zeros when it reads, so the two sides lie in two traces unless trace ids
//! have only 64 bits.

use super::{Reading, flaw, is_hex, is_lower_hex};
use crate::model::{Flaw, FlawKind, Sampling, SpanContext, SpanId, TraceId};

/// The headers, as they were found.
#[derive(Clone, Copy, Default, Debug)]
pub struct Headers<'a> {
    pub trace_id: &'a str,
    pub span_id: Option<&'a str>,
    pub sampled: Option<&'a str>,
}

/// Reads them.
///
/// # Errors
///
/// The flaw that best explains why a conforming reader ignores them. Its marks
/// are in the trace id; a flaw of the span id has none.
pub fn read(headers: Headers<'_>) -> Reading {
    let Headers { trace_id, span_id, sampled } = headers;
    let Some(span_id) = span_id else { return Err(flaw(FlawKind::Incomplete, trace_id)) };
    let trace = number::<32>(trace_id).and_then(|text| TraceId::parse_hex(&text)).filter(|id| !id.is_zero());
    let span = number::<16>(span_id).and_then(|text| SpanId::parse_hex(&text)).filter(|id| !id.is_zero());
    Ok(Some(SpanContext {
        trace_id: trace.ok_or_else(|| explain(trace_id, 32))?,
        span_id: span.ok_or_else(|| Flaw { marks: Vec::new(), ..explain(span_id, 16) })?,
        sampling: match sampled {
            Some("true") => Sampling::Sampled,
            Some(_) => Sampling::NotSampled,
            None => Sampling::Deferred,
        },
    }))
}

/// The digits of an id, padded: `hex()` writes no leading zeros.
fn number<const DIGITS: usize>(text: &str) -> Option<[u8; DIGITS]> {
    let mut padded = [b'0'; DIGITS];
    let start = DIGITS.checked_sub(text.len()).filter(|_| is_lower_hex(text))?;
    padded[start..].copy_from_slice(text.as_bytes());
    Some(padded)
}

fn explain(id: &str, digits: usize) -> Flaw {
    let kind = match id {
        _ if id.len() > digits => FlawKind::WrongLength,
        _ if is_lower_hex(id) => FlawKind::AllZero,
        _ if is_hex(id) => FlawKind::UpperCase,
        _ => FlawKind::NotHexadecimal,
    };
    flaw(kind, id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADERS: Headers<'_> =
        Headers { trace_id: "64fe8b2a57d3eff7", span_id: Some("e457b5a2e4d86bd1"), sampled: Some("true") };

    #[test]
    fn ids_are_padded() {
        let context = read(HEADERS).expect("valid").expect("a context");
        assert_eq!(context.trace_id.to_string(), "000000000000000064fe8b2a57d3eff7");
        assert_eq!(context.span_id.to_string(), "e457b5a2e4d86bd1");
        assert_eq!(context.sampling, Sampling::Sampled);
        let short =
            read(Headers { span_id: Some("57b5a2e4d86bd1"), ..HEADERS }).expect("valid").expect("a context");
        assert_eq!(short.span_id.to_string(), "0057b5a2e4d86bd1");
        let unsampled =
            read(Headers { sampled: Some("false"), ..HEADERS }).expect("valid").expect("a context");
        assert_eq!(unsampled.sampling, Sampling::NotSampled);
    }

    #[test]
    fn what_no_reader_takes_has_its_flaw() {
        for (headers, kind) in [
            (Headers { span_id: None, ..HEADERS }, FlawKind::Incomplete),
            (Headers { trace_id: "0000000000000000", ..HEADERS }, FlawKind::AllZero),
            (Headers { trace_id: "64FE8B2A57D3EFF7", ..HEADERS }, FlawKind::UpperCase),
            (Headers { trace_id: "64fe8b2a57d3efé", ..HEADERS }, FlawKind::NotHexadecimal),
            (Headers { span_id: Some("e457b5a2e4d86bd1a"), ..HEADERS }, FlawKind::WrongLength),
        ] {
            assert_eq!(read(headers).expect_err("flawed").kind, kind, "{headers:?}");
        }
    }
}

//! `x-datadog-trace-id` and its companions: decimal ids of 64 bits, the high
//! half of a 128-bit trace id in `x-datadog-tags` as `_dd.p.tid`.
//!
//! <https://docs.datadoghq.com/tracing/trace_collection/trace_context_propagation/>

use std::num::{IntErrorKind, ParseIntError};

use super::{Reading, flaw};
use crate::model::{Flaw, FlawKind, Sampling, SpanContext, SpanId, TraceId};

/// The headers, as they were found.
#[derive(Clone, Copy, Default, Debug)]
pub struct Headers<'a> {
    pub trace_id: Option<&'a str>,
    pub parent_id: Option<&'a str>,
    pub priority: Option<&'a str>,
    pub tags: Option<&'a str>,
}

/// Reads the headers. Without both ids, or with the parent id `0` of a decision
/// that no span made, there is no context.
///
/// # Errors
///
/// The flaw of the trace id; without marks if another header is at fault.
pub fn read(headers: Headers<'_>) -> Reading {
    let (Some(trace_id), Some(parent_id)) = (headers.trace_id, headers.parent_id) else {
        return Ok(None);
    };
    let low = number(trace_id).map_err(|kind| flaw(kind, trace_id))?;
    let span = number(parent_id).map_err(|kind| Flaw { kind, marks: Vec::new() })?;
    if low == 0 {
        return Err(flaw(FlawKind::AllZero, trace_id));
    }
    if span == 0 {
        return Ok(None);
    }
    let tags = headers.tags.unwrap_or_default().split(',');
    let high = tags
        .filter_map(|tag| tag.trim().strip_prefix("_dd.p.tid="))
        .find_map(|high| u64::from_str_radix(high, 16).ok());
    let sampling = match headers.priority.map(|priority| priority.trim().parse::<i8>()) {
        Some(Ok(priority)) if priority > 0 => Sampling::Sampled,
        Some(Ok(_)) => Sampling::NotSampled,
        _ => Sampling::Deferred,
    };
    let id = u128::from(high.unwrap_or(0)) << 64 | u128::from(low);
    Ok(Some(SpanContext {
        trace_id: TraceId::new(id.to_be_bytes()),
        span_id: SpanId::new(span.to_be_bytes()),
        sampling,
    }))
}

/// A decimal number of 64 bits.
fn number(text: &str) -> Result<u64, FlawKind> {
    text.trim().parse().map_err(|error: ParseIntError| match error.kind() {
        IntErrorKind::PosOverflow => FlawKind::WrongLength,
        _ => FlawKind::Unrecognised,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_high_half_lies_in_the_tags() {
        let headers = Headers {
            trace_id: Some("1311768467463790320"),
            parent_id: Some("2"),
            priority: Some("1"),
            tags: Some("_dd.p.dm=-0,_dd.p.tid=66c8399600000000"),
        };
        let context = read(headers).expect("valid").expect("a context");
        assert_eq!(context.trace_id.to_string(), "66c8399600000000123456789abcdef0");
        assert_eq!(context.sampling, Sampling::Sampled);
        let kind = |headers| read(headers).expect_err("no context").kind;
        assert_eq!(kind(Headers { trace_id: Some("-1"), ..headers }), FlawKind::Unrecognised);
        assert_eq!(kind(Headers { trace_id: Some("0"), ..headers }), FlawKind::AllZero);
        assert_eq!(
            kind(Headers { trace_id: Some("18446744073709551616"), ..headers }),
            FlawKind::WrongLength
        );
        assert_eq!(kind(Headers { parent_id: Some("ab"), ..headers }), FlawKind::Unrecognised);
        assert_eq!(read(Headers { parent_id: Some("0"), ..headers }), Ok(None));
        assert_eq!(read(Headers { parent_id: None, ..headers }), Ok(None));
    }

    #[test]
    fn the_priority_says_whether_it_is_kept() {
        let sampling = |priority| {
            let headers =
                Headers { trace_id: Some("1"), parent_id: Some("2"), priority, ..Headers::default() };
            read(headers).expect("valid").expect("a context").sampling
        };
        assert_eq!(sampling(Some("2")), Sampling::Sampled);
        assert_eq!(sampling(Some("-1")), Sampling::NotSampled);
        assert_eq!(sampling(None), Sampling::Deferred);
    }
}

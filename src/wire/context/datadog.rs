//! `x-datadog-trace-id` and its companions: decimal ids of 64 bits, the high
//! half of a 128-bit trace id in `x-datadog-tags` as `_dd.p.tid`.
//!
//! <https://docs.datadoghq.com/tracing/trace_collection/trace_context_propagation/>

use super::{Reading, flaw};
use crate::model::{FlawKind, Sampling, SpanContext, SpanId, TraceId};

/// The headers, as they were found.
#[derive(Clone, Copy, Default, Debug)]
pub struct Headers<'a> {
    pub trace_id: Option<&'a str>,
    pub parent_id: Option<&'a str>,
    pub priority: Option<&'a str>,
    pub tags: Option<&'a str>,
}

/// Reads the headers.
///
/// # Errors
///
/// The flaw of the trace id.
pub fn read(headers: Headers<'_>) -> Reading {
    let (Some(trace_id), Some(parent_id)) = (headers.trace_id, headers.parent_id) else {
        return Ok(None);
    };
    let (Ok(low), Ok(span)) = (trace_id.trim().parse::<u64>(), parent_id.trim().parse::<u64>()) else {
        return Err(flaw(FlawKind::NotText, trace_id));
    };
    if low == 0 || span == 0 {
        return Err(flaw(FlawKind::AllZero, trace_id));
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
        assert!(read(Headers { trace_id: Some("-1"), ..headers }).is_err());
    }
}

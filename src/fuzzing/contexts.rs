//! Trace contexts of all formats.

use std::array;

use crate::model::{Flaw, Sampling, SpanContext};
use crate::wire::context::{Reading, b3, baggage, datadog, ids, jaeger, ot_trace, sentry, w3c, xray};

/// Reads the text as each format; the headers of one with several stand between zero bytes.
///
/// A context that is read has no id of zeros, and reads the same once it is written as the
/// format's specification says. The marks of a flaw lie in the text, between characters.
/// A `traceparent` is read where the expression of OpenTelemetry for Python matches it.
pub fn contexts(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut fields = text.split('\0');
    let [first, second, third, fourth] = array::from_fn(|_| fields.next());
    let text = first.unwrap_or_default();

    assert_eq!(w3c::read(text).is_ok(), is_traceparent(text), "{text:?}");
    hold(text, w3c::read(text).map(Some), |context| w3c::read(&traceparent(context)).map(Some));
    hold(text, b3::read_single(text), |context| b3::read_single(&single(context, '-')));
    hold(text, jaeger::read(text).map(Some), |context| jaeger::read(&uber_trace_id(context)).map(Some));
    hold(text, xray::read(text).map(Some), |context| xray::read(&amazon(context)).map(Some));
    hold(text, sentry::read(text).map(Some), |context| sentry::read(&single(context, '-')).map(Some));
    if let Ok(context) = xray::read(text) {
        assert_eq!(xray::read(&xray::without_other_members(text)), Ok(context));
    }

    let multi = b3::Multi { trace_id: first, span_id: second, sampled: third, flags: fourth };
    hold(text, b3::read_multi(multi), |context| {
        let [trace, span] = [context.trace_id.to_string(), context.span_id.to_string()];
        let sampled = decision(context.sampling, ["1", "0"]);
        b3::read_multi(b3::Multi { trace_id: Some(&trace), span_id: Some(&span), sampled, flags: None })
    });
    let headers = ot_trace::Headers { trace_id: text, span_id: second, sampled: third };
    hold(text, ot_trace::read(headers), |context| {
        let [trace, span] = [context.trace_id.to_string(), context.span_id.to_string()];
        let sampled = decision(context.sampling, ["true", "false"]);
        ot_trace::read(ot_trace::Headers { trace_id: &trace, span_id: Some(&span), sampled })
    });
    let headers = datadog::Headers { trace_id: first, parent_id: second, priority: third, tags: fourth };
    hold(text, datadog::read(headers), |context| {
        let span = u64::from_be_bytes(context.span_id.bytes()).to_string();
        let [low, id] = [context.trace_id.low64().to_string(), context.trace_id.to_string()];
        datadog::read(datadog::Headers {
            trace_id: Some(&low),
            parent_id: Some(&span),
            priority: decision(context.sampling, ["1", "0"]),
            tags: Some(&format!("_dd.p.tid={}", &id[..16])),
        })
    });

    if let Some(context) = ids::of_text(text) {
        hold(text, Ok(Some(context)), |context| Ok(ids::of_text(&single(context, ':'))));
    }
    let told = baggage::without_values(text);
    assert_eq!(baggage::without_values(&told), told);
}

fn hold(text: &str, reading: Reading, again: impl FnOnce(&SpanContext) -> Reading) {
    match reading {
        Ok(None) => {}
        Ok(Some(context)) => {
            assert!(!context.trace_id.is_zero() && !context.span_id.is_zero(), "{text:?}");
            assert_eq!(again(&context), Ok(Some(context)), "{text:?}");
        }
        Err(Flaw { marks, kind }) => {
            for mark in marks {
                assert!(text.get(mark.start..mark.end).is_some(), "{text:?}: {kind:?} at {mark:?}");
            }
        }
    }
}

/// What `TraceContextTextMapPropagator` of OpenTelemetry for Python takes, by its expression
/// `^[ \t]*([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?[ \t]*$`.
fn is_traceparent(text: &str) -> bool {
    /// A longer header is not looked at.
    const LONGEST: usize = 512;
    let line = text.strip_suffix('\n').unwrap_or(text).trim_start_matches([' ', '\t']);
    let Some((head, rest)) = line.split_at_checked(55) else { return false };
    let has_shape = head.bytes().enumerate().all(|(at, byte)| match at {
        2 | 35 | 52 => byte == b'-',
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    });
    let goes_on = rest.starts_with('-') && !rest.contains('\n');
    let ends = rest.bytes().all(|byte| matches!(byte, b' ' | b'\t'));
    let is_zero = |field: &str| field.bytes().all(|byte| byte == b'0');
    has_shape
        && (ends || (goes_on && !head.starts_with("00")))
        && !head.starts_with("ff")
        && !is_zero(&head[3..35])
        && !is_zero(&head[36..52])
        && text.len() <= LONGEST
}

fn decision(sampling: Sampling, [yes, no]: [&'static str; 2]) -> Option<&'static str> {
    match sampling {
        Sampling::Sampled => Some(yes),
        Sampling::NotSampled => Some(no),
        Sampling::Deferred => None,
    }
}

fn traceparent(context: &SpanContext) -> String {
    let flags = decision(context.sampling, ["01", "00"]).unwrap_or_default();
    format!("00-{}-{}-{flags}", context.trace_id, context.span_id)
}

fn single(context: &SpanContext, separator: char) -> String {
    let ids = format!("{}{separator}{}", context.trace_id, context.span_id);
    decision(context.sampling, ["1", "0"]).map_or(ids.clone(), |flag| format!("{ids}{separator}{flag}"))
}

fn uber_trace_id(context: &SpanContext) -> String {
    let flags = decision(context.sampling, ["1", "0"]).unwrap_or_default();
    format!("{}:{}:0:{flags}", context.trace_id, context.span_id)
}

fn amazon(context: &SpanContext) -> String {
    let id = context.trace_id.to_string();
    let ids = format!("Root=1-{}-{};Parent={}", &id[..8], &id[8..], context.span_id);
    decision(context.sampling, ["1", "0"]).map_or(ids.clone(), |flag| format!("{ids};Sampled={flag}"))
}

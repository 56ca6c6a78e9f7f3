//! `x-amzn-trace-id`: `Root=1-{8 hex}-{24 hex};Parent={16 hex};Sampled={0|1}`,
//! <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>.

use super::flaw;
use crate::model::{Flaw, FlawKind, Sampling, SpanContext, SpanId, TraceId};

/// Reads an `x-amzn-trace-id` header.
///
/// # Errors
///
/// The flaw that best explains why it is none.
pub fn read(text: &str) -> Result<SpanContext, Flaw> {
    let (mut root, mut parent, mut sampling) = (None, None, Sampling::Deferred);
    for part in text.split(';') {
        match part.trim().split_once('=') {
            Some((key, value)) if key.eq_ignore_ascii_case("root") => root = Some(value),
            Some((key, value)) if key.eq_ignore_ascii_case("parent") => parent = Some(value),
            Some((key, "1")) if key.eq_ignore_ascii_case("sampled") => sampling = Sampling::Sampled,
            Some((key, "0")) if key.eq_ignore_ascii_case("sampled") => sampling = Sampling::NotSampled,
            _ => {}
        }
    }
    let (Some(root), Some(parent)) = (root, parent) else {
        return Err(flaw(FlawKind::Incomplete, text));
    };
    let digits = root.strip_prefix("1-").map(|ids| ids.replacen('-', "", 1)).unwrap_or_default();
    let trace_id = TraceId::parse_hex(digits.as_bytes()).filter(|id| digits.len() == 32 && !id.is_zero());
    let span_id = SpanId::parse_hex(parent.as_bytes()).filter(|id| !id.is_zero());
    match (trace_id, span_id) {
        (Some(trace_id), Some(span_id)) => Ok(SpanContext { trace_id, span_id, sampling }),
        _ => Err(flaw(FlawKind::WrongLength, text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_parts_of_the_root_are_one_id() {
        let context = read("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1")
            .expect("valid");
        assert_eq!(context.trace_id.to_string(), "5759e988bd862e3fe1be46a994272793");
        assert_eq!(
            read("Root=1-5759e988-bd862e3fe1be46a994272793").expect_err("no parent").kind,
            FlawKind::Incomplete
        );
    }
}

//! `X-Amzn-Trace-Id`: `Root=1-{8 hex}-{24 hex};Parent={16 hex};Sampled={0|1}`,
//! <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>.
//!
//! Read as the propagator of OpenTelemetry for Python reads it
//! (`opentelemetry.propagators.aws`).

use std::borrow::Cow;

use super::{flaw, flaw_at, flawed_id, is_hex, is_zero};
use crate::model::{Flaw, FlawKind, Sampling, SpanContext, SpanId, TraceId};

/// Reads an `X-Amzn-Trace-Id` header. Members of other names may stand between.
///
/// # Errors
///
/// The flaw that best explains why it is none.
pub fn read(text: &str) -> Result<SpanContext, Flaw> {
    let (mut root, mut parent, mut sampling) = (None, None, Sampling::Deferred);
    for member in text.split(';') {
        let mut parts = member.split('=').map(str::trim);
        let (Some(key), Some(value), None) = (parts.next(), parts.next(), parts.next()) else {
            return Err(flaw_at(FlawKind::Unrecognised, text, member));
        };
        match (key, value) {
            ("Root", value) => root = Some(value),
            ("Parent", value) => parent = Some(value),
            ("Sampled", "1") => sampling = Sampling::Sampled,
            ("Sampled", "0") => sampling = Sampling::NotSampled,
            ("Sampled", value) => return Err(flaw_at(FlawKind::Unrecognised, text, value)),
            _ => {}
        }
    }
    let (Some(root), Some(parent)) = (root, parent) else {
        return Err(flaw(FlawKind::Incomplete, text));
    };
    let span_id = SpanId::parse_hex(parent.as_bytes()).filter(|id| !id.is_zero());
    Ok(SpanContext {
        trace_id: root_id(root).ok_or_else(|| flawed_root(text, root))?,
        span_id: span_id.ok_or_else(|| flawed_id(text, parent, &[16]))?,
        sampling,
    })
}

/// The header without members of other names, which may hold anything, if it is valid.
/// Otherwise unchanged, to show its flaw.
pub fn without_other_members(text: &str) -> Cow<'_, str> {
    let is_known = |member: &&str| {
        let key = member.split('=').next().unwrap_or_default().trim();
        matches!(key, "Root" | "Parent" | "Sampled")
    };
    if read(text).is_err() || text.split(';').all(|member| is_known(&member)) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.split(';').filter(is_known).collect::<Vec<_>>().join(";"))
}

/// The trace id in a root: its version, a time stamp and the rest, with dashes in between.
fn root_id(root: &str) -> Option<TraceId> {
    let (time, rest) = root.strip_prefix("1-")?.split_once('-')?;
    let mut digits = [0; 32];
    let (high, low) = digits.split_at_mut(8);
    if (time.len(), rest.len()) != (high.len(), low.len()) {
        return None;
    }
    high.copy_from_slice(time.as_bytes());
    low.copy_from_slice(rest.as_bytes());
    TraceId::parse_hex(&digits).filter(|id| !id.is_zero())
}

fn flawed_root(text: &str, root: &str) -> Flaw {
    let parts: Option<(&str, &str)> = root.strip_prefix("1-").and_then(|ids| ids.split_once('-'));
    let kind = match parts {
        None => FlawKind::Unrecognised,
        Some((time, rest)) if !is_hex(time) || !is_hex(rest) => FlawKind::NotHexadecimal,
        Some((time, rest)) if is_zero(time) && is_zero(rest) => FlawKind::AllZero,
        Some(_) => FlawKind::WrongLength,
    };
    flaw_at(kind, text, root)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "Parent=53995c3f42cd8ad8";

    #[test]
    fn the_two_parts_of_the_root_are_one_id() {
        let root = "Root=1-5759e988-bd862e3fe1be46a994272793";
        let context = read(&format!("{root};{PARENT};Sampled=1")).expect("valid");
        assert_eq!(context.trace_id.to_string(), "5759e988bd862e3fe1be46a994272793");
        assert_eq!(context.sampling, Sampling::Sampled);
        let other = read(&format!("Self=1-67891234-12456789abcdef012345678; {PARENT} ;{root}"));
        assert_eq!(other, Ok(SpanContext { sampling: Sampling::Deferred, ..context }));
    }

    #[test]
    fn each_flaw_is_named_and_marked() {
        for (text, kind, marked) in [
            (
                "Root=1-5759e988-bd862e3fe1be46a994272793",
                FlawKind::Incomplete,
                "Root=1-5759e988-bd862e3fe1be46a994272793",
            ),
            ("5759e988bd862e3f", FlawKind::Unrecognised, "5759e988bd862e3f"),
            (
                "Root=1-00000000-000000000000000000000000;Parent=53995c3f42cd8ad8",
                FlawKind::AllZero,
                "1-00000000-000000000000000000000000",
            ),
            (
                "Root=1-5759e98-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8",
                FlawKind::WrongLength,
                "1-5759e98-bd862e3fe1be46a994272793",
            ),
            ("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=5399", FlawKind::WrongLength, "5399"),
            (
                "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=yes",
                FlawKind::Unrecognised,
                "yes",
            ),
        ] {
            let flaw = read(text).expect_err(text);
            assert_eq!(flaw.kind, kind, "{text}");
            assert_eq!(&text[flaw.marks[0].start..flaw.marks[0].end], marked, "{text}");
        }
    }
}

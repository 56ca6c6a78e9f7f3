//! `traceparent`, level 2: <https://www.w3.org/TR/trace-context-2/#traceparent-header>.
//!
//! Read as the propagator of OpenTelemetry for Python reads it
//! (`opentelemetry.trace.propagation.tracecontext`), which is what decides
//! whether a worker follows it.

use super::{flaw, flaw_at, is_decimal, is_hex, is_lower_hex, is_zero, mark};
use crate::model::{Flaw, FlawKind, Sampling, SpanContext, SpanId, TraceId};

/// The length of a `traceparent` of version 00, in characters.
const LENGTH: usize = 55;

/// Reads a `traceparent`.
///
/// # Errors
///
/// The flaw that best explains why a conforming reader ignores the value.
pub fn read(text: &str) -> Result<SpanContext, Flaw> {
    let trimmed = text.trim_matches([' ', '\t']);
    match split(trimmed) {
        Some(context) => Ok(context),
        None => Err(explain(text, trimmed)),
    }
}

/// The context, where the value is as the recommendation asks.
fn split(text: &str) -> Option<SpanContext> {
    let bytes = text.as_bytes();
    let (head, rest) = bytes.split_at_checked(LENGTH)?;
    let is_dashed = head[2] == b'-' && head[35] == b'-' && head[52] == b'-';
    // A later version may go on after another dash; version 00 may not.
    let ends_well = rest.is_empty() || (rest[0] == b'-' && !head.starts_with(b"00"));
    if !is_dashed || !ends_well || head.starts_with(b"ff") || !head.is_ascii() {
        return None;
    }
    if head.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (_version, flags) = (digit(head[0])? + digit(head[1])?, digit(head[53])? << 4 | digit(head[54])?);
    let trace_id = TraceId::parse_hex(&head[3..35]).filter(|id| !id.is_zero())?;
    let span_id = SpanId::parse_hex(&head[36..52]).filter(|id| !id.is_zero())?;
    // Bit 0 alone says sampled; bit 1 is level 2's "random trace id".
    let sampling = if flags & 1 == 1 { Sampling::Sampled } else { Sampling::NotSampled };
    Some(SpanContext { trace_id, span_id, sampling })
}

/// Why `text`, trimmed to `value`, is no `traceparent`.
fn explain(text: &str, value: &str) -> Flaw {
    if let Some(comma) = value.find(',') {
        return flaw_at(FlawKind::Doubled, text, &value[comma..]);
    }
    let fields: Vec<&str> = value.split('-').collect();
    let [version, trace_id, span_id, ..] = fields[..] else {
        return flaw(FlawKind::Unrecognised, text);
    };
    let ids = [(trace_id, 32), (span_id, 16)];
    let marks = |wrong: &dyn Fn(&str, usize) -> bool| -> Vec<_> {
        ids.iter().filter(|(id, length)| wrong(id, *length)).map(|(id, _)| mark(text, id)).collect()
    };
    let first = |kind: FlawKind, wrong: &dyn Fn(&str, usize) -> bool| {
        let marks = marks(wrong);
        (!marks.is_empty()).then_some(Flaw { kind, marks })
    };
    if version.len() != 2 || !is_hex(version) {
        let kind = if is_hex(version) { FlawKind::WrongLength } else { FlawKind::Unrecognised };
        return flaw_at(kind, text, version);
    }
    if version.eq_ignore_ascii_case("ff") {
        return flaw_at(FlawKind::ForbiddenVersion, text, version);
    }
    first(FlawKind::HexPrefix, &|id, _| id.starts_with("0x") || id.starts_with("0X"))
        .or_else(|| {
            first(FlawKind::DecimalIds, &|id, length| id.len() != length && is_decimal(id) && id.len() > 8)
        })
        .or_else(|| first(FlawKind::WrongLength, &|id, length| id.len() != length))
        .or_else(|| first(FlawKind::NotHexadecimal, &|id, _| !is_hex(id)))
        .or_else(|| first(FlawKind::UpperCase, &|id, _| !is_lower_hex(id)))
        .or_else(|| first(FlawKind::AllZero, &|id, _| is_zero(id)))
        .unwrap_or_else(|| explain_flags(text, value, &fields))
}

/// The ids are right: what follows them, or stands before them, is not.
fn explain_flags(text: &str, value: &str, fields: &[&str]) -> Flaw {
    match fields {
        [_, _, _] => flaw_at(FlawKind::MissingFlags, text, &value[value.len()..]),
        [_, _, _, flags, ..] if flags.is_empty() => {
            flaw_at(FlawKind::MissingFlags, text, &value[value.len()..])
        }
        [version, _, _, flags, ..] => {
            if let Some(part) = [version, flags].into_iter().find(|part| is_hex(part) && !is_lower_hex(part))
            {
                return flaw_at(FlawKind::UpperCase, text, part);
            }
            if !is_hex(flags) {
                return flaw_at(FlawKind::NotHexadecimal, text, flags);
            }
            if flags.len() != 2 {
                return flaw_at(FlawKind::WrongLength, text, flags);
            }
            let end = value.len().min(LENGTH);
            flaw_at(FlawKind::WrongLength, text, value.get(end..).unwrap_or_default())
        }
        _ => flaw(FlawKind::Unrecognised, text),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn bit_0_alone_says_sampled() {
        for (flags, sampling) in [
            ("00", Sampling::NotSampled),
            ("01", Sampling::Sampled),
            ("02", Sampling::NotSampled),
            ("03", Sampling::Sampled),
        ] {
            let context = read(&format!("{}{flags}", &VALID[..53])).expect("valid");
            assert_eq!(context.sampling, sampling, "flags {flags}");
        }
    }

    #[test]
    fn later_versions_may_go_on_and_version_00_may_not() {
        assert!(read(&VALID.replacen("00", "cc", 1)).is_ok());
        assert!(read(&format!("{}-what-comes", VALID.replacen("00", "cc", 1))).is_ok());
        assert!(read(&format!(" {VALID}\t")).is_ok());
        assert_eq!(read(&format!("{VALID}-more")).expect_err("too long").kind, FlawKind::WrongLength);
    }

    #[test]
    fn each_flaw_is_named_and_marked() {
        let cases = [
            (
                "00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01",
                FlawKind::UpperCase,
                "4BF92F3577B34DA6A3CE929D0E0E4736",
            ),
            (
                "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                FlawKind::AllZero,
                "00000000000000000000000000000000",
            ),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                FlawKind::AllZero,
                "0000000000000000",
            ),
            ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", FlawKind::ForbiddenVersion, "ff"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", FlawKind::MissingFlags, ""),
            (
                "00-100989382732932103293212893219-67667974448284343-01",
                FlawKind::DecimalIds,
                "100989382732932103293212893219",
            ),
            (
                "00-0x4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                FlawKind::HexPrefix,
                "0x4bf92f3577b34da6a3ce929d0e0e4736",
            ),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e47-00f067aa0ba902b7-01",
                FlawKind::WrongLength,
                "4bf92f3577b34da6a3ce929d0e0e47",
            ),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
                FlawKind::NotHexadecimal,
                "4bf92f3577b34da6a3ce929d0e0e473g",
            ),
            ("hello", FlawKind::Unrecognised, "hello"),
        ];
        for (text, kind, marked) in cases {
            let flaw = read(text).expect_err(text);
            assert_eq!(flaw.kind, kind, "{text}");
            assert_eq!(&text[flaw.marks[0].start..flaw.marks[0].end], marked, "{text}");
        }
        let twice = format!("{VALID},{VALID}");
        assert_eq!(read(&twice).expect_err("two values").kind, FlawKind::Doubled);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(trace in 1u128.., span in 1u64.., flags in 0u8..) {
            let context = read(&format!("00-{trace:032x}-{span:016x}-{flags:02x}")).expect("valid");
            prop_assert_eq!(context.trace_id.bytes(), trace.to_be_bytes());
            prop_assert_eq!(context.span_id.bytes(), span.to_be_bytes());
        }

        #[test]
        fn marks_lie_on_character_borders(text in "\\PC{0,80}") {
            if let Err(flaw) = read(&text) {
                for mark in flaw.marks {
                    prop_assert!(text.get(mark.start..mark.end).is_some());
                }
            }
        }
    }
}

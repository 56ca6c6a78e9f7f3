//! `traceparent`, level 2: <https://www.w3.org/TR/trace-context-2/#traceparent-header>.
//!
//! Read as OpenTelemetry's propagator for Python reads it
//! (`opentelemetry.trace.propagation.tracecontext`), since that decides whether a worker
//! follows it.

use super::{flaw, flaw_at, is_decimal_id, is_hex, is_hex_prefixed, is_lower_hex, is_zero, mark};
use crate::model::{Flaw, FlawKind, Sampling, SpanContext, SpanId, TraceId};

/// The length of a `traceparent` of version 00, in characters.
const LENGTH: usize = 55;
/// The longest value that the propagator looks at, in characters.
const LONGEST: usize = 512;

/// Reads a `traceparent`.
///
/// # Errors
///
/// The flaw that best explains why a conforming reader ignores the value.
pub fn read(text: &str) -> Result<SpanContext, Flaw> {
    // Python's `$` also matches before a final line feed.
    let line = text.strip_suffix('\n').unwrap_or(text);
    let trimmed = line.trim_matches([' ', '\t']);
    match parse(trimmed) {
        Some(context) if text.len() <= LONGEST => Ok(context),
        _ => Err(explain(text, trimmed)),
    }
}

/// The context, if the value follows the recommendation.
fn parse(text: &str) -> Option<SpanContext> {
    let (head, rest) = text.as_bytes().split_at_checked(LENGTH)?;
    let [version, trace_id, span_id, flags] = [0..2, 3..35, 36..52, 53..55].map(|field| &head[field]);
    let has_dashes = [2, 35, 52].into_iter().all(|at| head[at] == b'-');
    if !has_dashes || head.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    let ends_well = match hex_byte(version)? {
        0xff => false,
        0 => rest.is_empty(),
        // A later version may go on after another dash.
        _ => rest.is_empty() || (rest[0] == b'-' && !rest.contains(&b'\n')),
    };
    // Bit 0 alone says sampled; bit 1 is level 2's "random trace id".
    let sampling = if hex_byte(flags)? & 1 == 1 { Sampling::Sampled } else { Sampling::NotSampled };
    let trace_id = TraceId::parse_hex(trace_id).filter(|id| !id.is_zero())?;
    let span_id = SpanId::parse_hex(span_id).filter(|id| !id.is_zero())?;
    ends_well.then_some(SpanContext { trace_id, span_id, sampling })
}

/// The value of two hexadecimal digits.
fn hex_byte(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, digit| Some(value << 4 | char::from(*digit).to_digit(16)?))
}

/// Why `text`, trimmed to `value`, is not a `traceparent`.
fn explain(text: &str, value: &str) -> Flaw {
    if let Some((first, second)) = value.split_once(',')
        && [first, second].into_iter().any(|one| parse(one.trim()).is_some())
    {
        return flaw_at(FlawKind::Doubled, text, &value[first.len()..]);
    }
    let mut fields = value.splitn(5, '-');
    let (Some(version), Some(trace_id), Some(span_id)) = (fields.next(), fields.next(), fields.next()) else {
        return flaw(FlawKind::Unrecognised, text);
    };
    if version.len() == 32 && trace_id.len() == 16 {
        // Ids without a version: a `sentry-trace`, or put together by hand.
        return flaw_at(FlawKind::Incomplete, text, &value[..0]);
    }
    if version.len() != 2 || !is_hex(version) {
        let kind = if is_hex(version) { FlawKind::WrongLength } else { FlawKind::Unrecognised };
        return flaw_at(kind, text, version);
    }
    if version.eq_ignore_ascii_case("ff") {
        return flaw_at(FlawKind::ForbiddenVersion, text, version);
    }
    let ids = [(trace_id, 32), (span_id, 16)];
    let first = |kind: FlawKind, is_wrong: &dyn Fn(&str, usize) -> bool| {
        let wrong = ids.iter().filter(|(id, length)| is_wrong(id, *length));
        let marks: Vec<_> = wrong.map(|(id, _)| mark(text, id)).collect();
        (!marks.is_empty()).then_some(Flaw { kind, marks })
    };
    first(FlawKind::HexPrefix, &|id, _| is_hex_prefixed(id))
        .or_else(|| first(FlawKind::DecimalIds, &|id, length| id.len() != length && is_decimal_id(id)))
        .or_else(|| first(FlawKind::WrongLength, &|id, length| id.len() != length))
        .or_else(|| first(FlawKind::NotHexadecimal, &|id, _| !is_hex(id)))
        .or_else(|| first(FlawKind::UpperCase, &|id, _| !is_lower_hex(id)))
        .or_else(|| first(FlawKind::AllZero, &|id, _| is_zero(id)))
        .unwrap_or_else(|| explain_rest(text, value, version, fields.next()))
}

/// The ids are right, but not what stands before or after them.
fn explain_rest(text: &str, value: &str, version: &str, flags: Option<&str>) -> Flaw {
    let Some(flags) = flags.filter(|flags| !flags.is_empty()) else {
        return flaw_at(FlawKind::MissingFlags, text, &value[value.len()..]);
    };
    let is_upper = |part: &&str| is_hex(part) && !is_lower_hex(part);
    if let Some(part) = [version, flags].into_iter().find(is_upper) {
        return flaw_at(FlawKind::UpperCase, text, part);
    }
    if !is_hex(flags) {
        return flaw_at(FlawKind::NotHexadecimal, text, flags);
    }
    if flags.len() != 2 {
        return flaw_at(FlawKind::WrongLength, text, flags);
    }
    flaw_at(FlawKind::WrongLength, text, &value[LENGTH..])
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
        assert!(read(&format!("{VALID}\n")).is_ok());
        assert!(read(&format!("{VALID}\n\n")).is_err());
        assert!(read(&format!("{}{VALID}", " ".repeat(512))).is_err());
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
            ("4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", FlawKind::Incomplete, ""),
            ("hello", FlawKind::Unrecognised, "hello"),
            ("hello, world", FlawKind::Unrecognised, "hello, world"),
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

//! A trace id and a span id under names of the application's own, as programs carry them
//! that build links or parents by hand: `trace_id` and `span_id`, in hexadecimal digits or
//! as the integers that OpenTelemetry for Python uses. No propagator reads them.

use serde_json::Value;

use crate::model::{HIDDEN, Sampling, SpanContext, SpanId, TraceId};

/// The fields of a mapping that together name one span.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Pair<'v> {
    pub trace: &'v str,
    pub span: &'v str,
    pub flags: Option<&'v str>,
    pub context: SpanContext,
}

/// A random trace id, as a number, is hardly ever below this: one of four
/// thousand million is.
const LEAST_TRACE: u128 = 1 << 96;
/// A random span id is hardly ever below this: one of sixty-five thousand is.
const LEAST_SPAN: u64 = 1 << 48;

/// The ids in the members of a mapping, if there are any.
pub fn of_mapping<'v>(members: impl Iterator<Item = (&'v str, &'v Value)> + Clone) -> Option<Pair<'v>> {
    members.clone().find_map(|(trace, value)| {
        let prefix = prefix_of(trace, &["traceid", "trace"])?;
        let trace_id = trace_id(value)?;
        let is_beside =
            |name: &str, ends: &[&str]| prefix_of(name, ends).is_some_and(|other| other == prefix);
        let (span, span_id) = members.clone().find_map(|(name, value)| {
            is_beside(name, &["spanid", "span", "parentid", "parent"])
                .then(|| Some((name, span_id(value)?)))?
        })?;
        let flags = members.clone().find(|(name, _)| is_beside(name, &["traceflags", "flags"]));
        let sampling = flags.map_or(Sampling::Deferred, |(_, value)| sampling(value));
        let flags = flags.map(|(name, _)| name);
        Some(Pair { trace, span, flags, context: SpanContext { trace_id, span_id, sampling } })
    })
}

/// The ids in two values that follow each other, as positional arguments do.
pub fn of_two(first: &Value, second: &Value) -> Option<SpanContext> {
    let (trace_id, span_id) = (trace_id(first)?, span_id(second)?);
    Some(SpanContext { trace_id, span_id, sampling: Sampling::Deferred })
}

/// The ids in one text: `<32 digits>-<16 digits>`, with what separates them and
/// what may follow.
pub fn of_text(text: &str) -> Option<SpanContext> {
    /// The separators, and what follows the ids: flags, mostly.
    const REST: usize = 8;
    let is_separator = |byte: u8| b"-:/.,_;".contains(&byte);
    let (trace_id, rest) = text.trim().split_at_checked(32)?;
    let separator = *rest.as_bytes().first()?;
    let (span_id, rest) = rest.get(1..)?.split_at_checked(16)?;
    let ends = rest.is_empty() || (rest.len() <= REST && is_separator(rest.as_bytes()[0]));
    let trace_id = TraceId::parse_hex(trace_id.as_bytes()).filter(|id| !id.is_zero())?;
    let span_id = SpanId::parse_hex(span_id.as_bytes()).filter(|id| !id.is_zero())?;
    (is_separator(separator) && ends).then_some(SpanContext {
        trace_id,
        span_id,
        sampling: Sampling::Deferred,
    })
}

/// The part of a name before one of `ends`, without separators, case, and a leading
/// `parent`.
fn prefix_of(name: &str, ends: &[&str]) -> Option<String> {
    /// No field has a longer name.
    const LONGEST: usize = 64;
    if name.len() > LONGEST {
        return None;
    }
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    let plain: String = letters.map(|letter| letter.to_ascii_lowercase()).collect();
    let prefix = ends.iter().find_map(|end| plain.strip_suffix(end))?;
    Some(prefix.strip_suffix("parent").unwrap_or(prefix).to_owned())
}

fn trace_id(value: &Value) -> Option<TraceId> {
    let text = value.as_str()?;
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let id = if digits.len() == 32
        && let Some(id) = TraceId::parse_hex(digits.as_bytes())
    {
        id
    } else {
        let number: u128 = decimal(text)?;
        if number < LEAST_TRACE {
            return None;
        }
        TraceId::new(number.to_be_bytes())
    };
    (!id.is_zero()).then_some(id)
}

fn span_id(value: &Value) -> Option<SpanId> {
    let of_number = |number: u64| (number >= LEAST_SPAN).then(|| SpanId::new(number.to_be_bytes()));
    let id = match value {
        Value::Number(number) => of_number(number.as_u64()?)?,
        Value::String(text) => {
            let digits = text.strip_prefix("0x").unwrap_or(text);
            SpanId::parse_hex(digits.as_bytes()).or_else(|| of_number(decimal(text)?))?
        }
        _ => return None,
    };
    (!id.is_zero()).then_some(id)
}

/// A number in decimal digits alone.
fn decimal<T: std::str::FromStr>(text: &str) -> Option<T> {
    let is_plain = text.bytes().all(|digit| digit.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}

fn sampling(flags: &Value) -> Sampling {
    let flags = match flags {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => u64::from_str_radix(text, 16).ok(),
        Value::Bool(flag) => Some((*flag).into()),
        _ => None,
    };
    match flags {
        Some(flags) if flags & 1 == 1 => Sampling::Sampled,
        Some(_) => Sampling::NotSampled,
        None => Sampling::Deferred,
    }
}

/// Flags without anything else that their value may hold: they read the same.
pub fn flags_alone(flags: &Value) -> Value {
    let bit = match sampling(flags) {
        Sampling::Sampled => 1,
        Sampling::NotSampled => 0,
        Sampling::Deferred => return HIDDEN.into(),
    };
    if flags.is_string() { format!("{bit:02x}").into() } else { bit.into() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const TRACE: &str = "d1109a3e5b7c4f2a8e6d0c9b8a7f6e5d";
    const SPAN: &str = "903b4a5c6d7e8f90";

    fn context(sampling: Sampling) -> SpanContext {
        SpanContext {
            trace_id: TraceId::parse_hex(TRACE.as_bytes()).expect("digits"),
            span_id: SpanId::parse_hex(SPAN.as_bytes()).expect("digits"),
            sampling,
        }
    }

    fn read(members: &Value) -> Option<SpanContext> {
        let members = members.as_object().expect("an object");
        of_mapping(members.iter().map(|(name, value)| (name.as_str(), value))).map(|pair| pair.context)
    }

    #[test]
    fn ids_are_read_in_any_spelling() {
        let trace = u128::from_str_radix(TRACE, 16).expect("digits").to_string();
        let span = u64::from_str_radix(SPAN, 16).expect("digits");
        for (members, sampling) in [
            (json!({"trace_id": TRACE, "span_id": SPAN}), Sampling::Deferred),
            (json!({"traceId": TRACE.to_uppercase(), "spanId": SPAN, "traceFlags": 1}), Sampling::Sampled),
            (json!({"trace_id": trace, "span_id": span, "trace_flags": 0}), Sampling::NotSampled),
            (json!({"trace_id": trace, "span_id": span.to_string(), "trace_flags": "01"}), Sampling::Sampled),
            (
                json!({"otel_trace_id": format!("0x{TRACE}"), "otel_span_id": format!("0x{SPAN}")}),
                Sampling::Deferred,
            ),
            (json!({"parent_trace_id": TRACE, "parent_span_id": SPAN}), Sampling::Deferred),
            (json!({"trace-id": TRACE, "parent-id": SPAN}), Sampling::Deferred),
        ] {
            assert_eq!(read(&members), Some(context(sampling)), "{members}");
        }
        for separator in ["-", ":", "/"] {
            assert_eq!(of_text(&format!("{TRACE}{separator}{SPAN}")), Some(context(Sampling::Deferred)));
        }
        assert_eq!(of_text(&format!("{TRACE}-{SPAN}-01")), Some(context(Sampling::Deferred)));
        assert_eq!(of_two(&json!(trace), &json!(span)), Some(context(Sampling::Deferred)));
    }

    #[test]
    fn what_only_looks_like_ids_is_none() {
        for members in [
            json!({"trace_id": TRACE}),
            json!({"trace_id": "7", "span_id": 8}),
            json!({"trace_id": TRACE, "other_span_id": SPAN}),
            json!({"trace_id": "0".repeat(32), "span_id": SPAN}),
            json!({"trace_id": null, "span_id": null}),
            json!({"order": TRACE, "item": SPAN}),
        ] {
            assert_eq!(read(&members), None, "{members}");
        }
        for text in ["", TRACE, &format!("{TRACE}{SPAN}"), &format!("{TRACE}-{SPAN}-{SPAN}")] {
            assert_eq!(of_text(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,60}") {
            let _ = of_text(&text);
            let _ = of_mapping([("trace_id", &json!(text)), ("span_id", &json!(text))].into_iter());
        }
    }
}

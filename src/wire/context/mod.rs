//! Trace context in every format that Celery messages carry: what a conforming reader reads
//! in a value, or why it ignores it.

pub mod b3;
pub mod baggage;
pub mod datadog;
pub mod ids;
pub mod jaeger;
pub mod ot_trace;
pub mod sentry;
pub mod w3c;
pub mod xray;

use crate::model::{Flaw, FlawKind, Mark, SpanContext};

/// What a reader reads in a value. `None` is a valid value without a context, such as B3's
/// `0`.
pub type Reading = Result<Option<SpanContext>, Flaw>;

/// A flaw of the whole text.
fn flaw(kind: FlawKind, text: &str) -> Flaw {
    Flaw { kind, marks: vec![Mark { start: 0, end: text.len() }] }
}

/// A flaw of one part of the text, which must be a slice of it.
fn flaw_at(kind: FlawKind, text: &str, part: &str) -> Flaw {
    Flaw { kind, marks: vec![mark(text, part)] }
}

/// The position of a slice in `text`.
fn mark(text: &str, part: &str) -> Mark {
    let start = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize).min(text.len());
    Mark { start, end: (start + part.len()).min(text.len()) }
}

/// Why `id`, a part of `text`, is not an id of one of these `lengths`, in either case.
fn flawed_id(text: &str, id: &str, lengths: &[usize]) -> Flaw {
    let has_length = lengths.contains(&id.len());
    let kind = match id {
        _ if is_hex_prefixed(id) => FlawKind::HexPrefix,
        _ if !is_hex(id) => FlawKind::NotHexadecimal,
        _ if has_length => FlawKind::AllZero,
        _ if is_decimal_id(id) => FlawKind::DecimalIds,
        _ => FlawKind::WrongLength,
    };
    flaw_at(kind, text, id)
}

/// Whether Python's `hex()` wrote this.
fn is_hex_prefixed(id: &str) -> bool {
    id.starts_with("0x") || id.starts_with("0X")
}

/// Whether an id of a wrong length may be `str()` of the number. A random id hardly ever
/// has fewer than nine digits.
fn is_decimal_id(id: &str) -> bool {
    id.len() > 8 && id.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_zero(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte == b'0')
}

//! Trace context in every format that is seen in Celery messages: what a
//! conforming reader makes of the characters, or why it ignores them.

pub mod b3;
pub mod datadog;
pub mod jaeger;
pub mod sentry;
pub mod w3c;
pub mod xray;

use crate::model::{Flaw, FlawKind, Mark};

/// What a reader makes of a value. `None` is a value that is legal and names
/// no context, such as B3's `0`.
pub type Reading = Result<Option<crate::model::SpanContext>, Flaw>;

/// A flaw of the whole text.
fn flaw(kind: FlawKind, text: &str) -> Flaw {
    Flaw { kind, marks: vec![Mark { start: 0, end: text.len() }] }
}

/// A flaw of one part of the text, which must be a slice of it.
fn flaw_at(kind: FlawKind, text: &str, part: &str) -> Flaw {
    Flaw { kind, marks: vec![mark(text, part)] }
}

/// Where a slice of `text` lies in it.
fn mark(text: &str, part: &str) -> Mark {
    let start = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize).min(text.len());
    Mark { start, end: (start + part.len()).min(text.len()) }
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_decimal(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_zero(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte == b'0')
}

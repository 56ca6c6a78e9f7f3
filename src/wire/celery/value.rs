//! What a message body holds, whatever it was serialised with.

use std::borrow::Cow;

/// A value of a task's arguments, as far as a search for trace context needs it.
///
/// Decoders bound it: at most [`Value::NODES`] nodes, [`Value::DEPTH`] levels;
/// what lies beyond becomes [`Value::Elided`].
#[derive(Clone, PartialEq, Debug)]
pub enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    List(Vec<Value<'a>>),
    /// In the order of the input; keys that are no text are written as their repr.
    Map(Vec<(Cow<'a, str>, Value<'a>)>),
    /// Past a limit, or of a type that only its own program understands.
    Elided,
}

impl Value<'_> {
    /// The most nodes that a decoder makes of one body.
    pub const NODES: usize = 100_000;
    /// The deepest nesting that a decoder follows.
    pub const DEPTH: usize = 64;
}

//! The body of a message: the arguments of the task.
//!
//! It is decoded only if the headers hold no context. Nothing in it is run.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::bounded;
use super::compression::{DecompressError, decompress};
use super::envelope::Envelope;
use super::msgpack::{self, MsgpackError};
use super::pickle::{self, PickleError};

/// Why a body could not be read. The message itself is kept all the same.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("there is no body")]
    Missing,
    #[error("not Base64: {0}")]
    Base64(#[from] base64::DecodeError),
    #[error(transparent)]
    Compression(#[from] DecompressError),
    #[error("larger than {0} bytes")]
    TooLarge(usize),
    #[error("not JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Msgpack(#[from] MsgpackError),
    #[error("not YAML: {0}")]
    Yaml(String),
    #[error(transparent)]
    Pickle(#[from] PickleError),
    #[error("unknown content type `{0}`")]
    ContentType(String),
}

/// A decoded body.
#[derive(Clone, PartialEq, Debug)]
pub struct TaskBody {
    /// The whole of it: `[args, kwargs, embed]` on protocol 2, an object on protocol 1.
    pub value: Value,
}

impl TaskBody {
    /// The largest body that is decoded, in bytes, before and after inflation.
    pub const LIMIT: usize = 16 << 20;

    /// Decodes the body of a message.
    ///
    /// # Errors
    ///
    /// [`BodyError`], which names what is wrong and where.
    pub fn of(envelope: &Envelope<'_>) -> Result<Self, BodyError> {
        let raw = envelope.body.ok_or(BodyError::Missing)?.get();
        if raw.len() > Self::LIMIT * 2 {
            return Err(BodyError::TooLarge(Self::LIMIT));
        }
        if !raw.starts_with('"') {
            return Ok(Self { value: bounded::read(raw.as_bytes())? });
        }
        let text: Cow<'_, str> = serde_json::from_str(raw)?;
        let bytes = match envelope.properties.body_encoding.as_deref() {
            Some("base64") => {
                let clean: String;
                let text = if text.contains(['\n', '\r']) {
                    clean = text.chars().filter(|letter| !letter.is_whitespace()).collect();
                    &clean
                } else {
                    &*text
                };
                STANDARD.decode(text)?
            }
            _ => text.into_owned().into_bytes(),
        };
        let bytes = match envelope.headers.compression.as_deref() {
            Some(name) => decompress(name, &bytes, Self::LIMIT)?,
            None => bytes,
        };
        let value = decode(envelope.content_type.as_deref().unwrap_or("application/json"), &bytes)?;
        Ok(Self { value })
    }

    /// The keyword arguments, of either protocol.
    pub fn kwargs(&self) -> &Value {
        match &self.value {
            Value::Array(parts) => parts.get(1).unwrap_or(&Value::Null),
            other => &other["kwargs"],
        }
    }

    /// The positional arguments, of either protocol.
    pub fn args(&self) -> &Value {
        match &self.value {
            Value::Array(parts) => parts.first().unwrap_or(&Value::Null),
            other => &other["args"],
        }
    }

    /// Whether a body ends as Celery writes a JSON body without further tasks. Only its end
    /// is decoded for that.
    pub fn embeds_nothing(envelope: &Envelope<'_>) -> bool {
        /// How many Base64 characters hold the end: a multiple of four, since Base64
        /// decodes in groups of four.
        const END: usize = 128;
        const EMPTY: &[u8] = br#"{"callbacks":null,"errbacks":null,"chain":null,"chord":null}]"#;
        let Some(raw) = envelope.body.map(|body| body.get().trim_matches('"')) else { return true };
        let is_base64 = envelope.properties.body_encoding.as_deref() == Some("base64");
        if !is_base64 || envelope.headers.compression.as_deref().is_some() || !raw.len().is_multiple_of(4) {
            return false;
        }
        let end = raw.as_bytes().get(raw.len().saturating_sub(END)..).unwrap_or_default();
        let Ok(mut end) = STANDARD.decode(end) else { return false };
        end.retain(|byte| !byte.is_ascii_whitespace());
        end.ends_with(EMPTY)
    }

    /// The signatures of the tasks that Celery publishes after this one: the rest of its
    /// chain, its callbacks, the body of its chord.
    pub fn embedded(&self) -> impl Iterator<Item = &Value> {
        let embed = match &self.value {
            Value::Array(parts) => parts.get(2).unwrap_or(&Value::Null),
            _ => &Value::Null,
        };
        let lists = ["chain", "callbacks", "errbacks"].into_iter().filter_map(|key| embed[key].as_array());
        lists.flatten().chain([&embed["chord"]])
    }

    /// The signature of the next task in a chain. Celery keeps the rest of a chain in
    /// reverse (`celery.canvas._chain`): the last entry is next.
    pub fn next_in_chain(&self) -> Option<&Value> {
        let embed = match &self.value {
            Value::Array(parts) => parts.get(2)?,
            _ => return None,
        };
        embed["chain"].as_array()?.last()
    }
}

fn decode(content_type: &str, bytes: &[u8]) -> Result<Value, BodyError> {
    match content_type {
        "application/json" | "json" => Ok(bounded::read(bytes)?),
        "application/x-msgpack" | "application/msgpack" | "msgpack" => Ok(msgpack::walk(bytes)?),
        "application/x-yaml" | "yaml" => serde_saphyr::from_slice(bytes).map_err(|error| {
            BodyError::Yaml(error.to_string().lines().next().unwrap_or_default().to_owned())
        }),
        "application/x-python-serialize" | "pickle" => Ok(pickle::walk(bytes)?),
        other => Err(BodyError::ContentType(other.chars().take(64).collect())),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const TYPES: [&str; 4] =
        ["application/json", "application/x-msgpack", "application/x-yaml", "application/x-python-serialize"];

    #[test]
    fn every_serializer_gives_the_same_value() {
        let expected = json!([["o1"], {"n": 2}, {}]);
        let bodies: [&[u8]; 4] = [
            br#"[["o1"], {"n": 2}, {}]"#,
            b"\x93\x91\xa2o1\x81\xa1n\x02\x80",
            b"- [o1]\n- {n: 2}\n- {}\n",
            b"\x80\x02]q\x00X\x02\x00\x00\x00o1q\x01a}q\x02X\x01\x00\x00\x00nq\x03K\x02s}q\x04\x87q\x05.",
        ];
        for (content_type, body) in TYPES.into_iter().zip(bodies) {
            assert_eq!(decode(content_type, body).expect(content_type), expected, "{content_type}");
        }
    }

    #[test]
    fn nesting_without_end_is_an_error_and_no_overflow() {
        let deep = [
            "[".repeat(100_000).into_bytes(),
            [0x91].repeat(100_000),
            "[".repeat(100_000).into_bytes(),
            [b"(".repeat(100_000), b".".to_vec()].concat(),
        ];
        for (content_type, body) in TYPES.into_iter().zip(deep) {
            assert!(decode(content_type, &body).is_err(), "{content_type}");
        }
    }

    #[test]
    fn aliases_that_double_are_refused() {
        let mut laughs = String::from("a0: &a0 [lol]\n");
        for level in 1..40 {
            let _ = writeln!(laughs, "a{level}: &a{level} [*a{0}, *a{0}, *a{0}]", level - 1);
        }
        assert!(decode("application/x-yaml", laughs.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256), which in 0..TYPES.len()) {
            let _ = decode(TYPES[which], &bytes);
        }
    }
}

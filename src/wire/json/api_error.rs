//! How an API says in JSON that it failed.

use serde_json::Value;

/// How many characters of a message are told.
const TOLD: usize = 200;
/// How long an answer may be of which the message is looked for, in bytes: as values it takes
/// many times that.
const LONGEST: usize = 1 << 16;

/// The message of an answer such as `{"error": "…"}`, `{"error": {"message": "…"}}` as gRPC's
/// gateway has it (or `{"code": 5, "message": "…"}`), `{"errors": [{"code": 404, "msg": "…"}]}` as
/// Jaeger does. It is raw text, of two hundred characters at most; `None` where there is none.
pub fn api_error(text: &[u8]) -> Option<Box<str>> {
    let answer: Value = serde_json::from_slice(text.get(..LONGEST).unwrap_or(text)).unwrap_or_default();
    let error =
        [&answer["error"], &answer["errors"][0], &answer["message"]].into_iter().find(|part| !part.is_null());
    let message =
        error.and_then(|error| [error, &error["message"], &error["msg"]].into_iter().find_map(Value::as_str));
    message.map(|message| message.chars().take(TOLD).collect())
}

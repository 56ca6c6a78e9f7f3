//! The value of `celery-task-meta-<id>`, without what the task returned.

use serde::Deserialize;
use serde_json::Value;

use crate::model::{Exception, TaskResult, TaskStatus, Timestamp};

/// The longest exception message that is kept, in bytes.
const MESSAGE: usize = 512;
/// How much of a traceback's end is kept, in bytes: the last frames.
const TRACEBACK: usize = 1024;

#[derive(Deserialize)]
struct Meta {
    status: Option<String>,
    #[serde(default)]
    result: Value,
    #[serde(default)]
    traceback: Value,
    #[serde(default)]
    date_done: Value,
    #[serde(default)]
    name: Value,
    #[serde(default)]
    worker: Value,
    #[serde(default)]
    retries: Value,
}

/// Reads a result. The task's return value is left where it lies.
///
/// # Errors
///
/// What `serde_json` says, where the value is no JSON object with a status.
pub fn read_result(task_id: &str, value: &[u8]) -> Result<TaskResult, serde_json::Error> {
    let meta: Meta = serde_json::from_slice(value)?;
    let status = match meta.status.as_deref().unwrap_or_default() {
        "PENDING" | "RECEIVED" => TaskStatus::Pending,
        "STARTED" => TaskStatus::Started,
        "RETRY" => TaskStatus::Retry,
        "SUCCESS" => TaskStatus::Success,
        "FAILURE" => TaskStatus::Failure,
        "REVOKED" | "REJECTED" | "IGNORED" => TaskStatus::Revoked,
        other => TaskStatus::Custom(cut(other, 64).into()),
    };
    let text = |value: &Value| value.as_str().map(Into::into);
    let worker =
        if status == TaskStatus::Started { text(&meta.result["hostname"]) } else { text(&meta.worker) };
    Ok(TaskResult {
        task_id: task_id.into(),
        exception: exception(&status, &meta.result),
        status,
        traceback_tail: meta.traceback.as_str().map(|text| tail(text, TRACEBACK).into()),
        done: meta.date_done.as_str().and_then(read_time),
        worker,
        task: text(&meta.name),
        retries: meta.retries.as_u64().and_then(|retries| u32::try_from(retries).ok()),
    })
}

fn exception(status: &TaskStatus, result: &Value) -> Option<Exception> {
    if !matches!(status, TaskStatus::Failure | TaskStatus::Retry | TaskStatus::Revoked) {
        return None;
    }
    let kind = result["exc_type"].as_str()?;
    let message = match &result["exc_message"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let parts: Vec<_> = parts
                .iter()
                .map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned))
                .collect();
            parts.join(", ")
        }
        Value::Null => String::new(),
        other => other.to_string(),
    };
    Some(Exception { kind: cut(kind, 128).into(), message: cut(&message, MESSAGE).into() })
}

/// Reads a time stamp of Celery's: RFC 3339, or without an offset, in UTC.
pub(super) fn read_time(text: &str) -> Option<Timestamp> {
    Timestamp::parse_rfc3339(text).or_else(|| Timestamp::parse_rfc3339(&format!("{text}Z")))
}

/// At most `limit` bytes from the start, on a character border.
pub(super) fn cut(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

/// At most `limit` bytes from the end, on a character border.
fn tail(text: &str, limit: usize) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(limit))..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_has_its_exception_and_nothing_that_was_returned() {
        let value = br#"{"status": "FAILURE", "result": {"exc_type": "TimeLimitExceeded", "exc_message": [1]}, "date_done": "2026-11-22T19:59:49.398"}"#;
        let result = read_result("a1", value).expect("valid");
        assert_eq!(result.status, TaskStatus::Failure);
        assert_eq!(result.exception.expect("failed").message.as_ref(), "1");
        assert_eq!(result.done.expect("done").to_string(), "2026-11-22T19:59:49.398Z");
        let success =
            read_result("a1", br#"{"status": "SUCCESS", "result": {"card": "4111"}}"#).expect("valid");
        assert!(!format!("{success:?}").contains("4111"));
    }

    #[test]
    fn what_is_no_result_is_an_error() {
        for value in [&b""[..], b"[]", b"\xff", b"{\"status\": 3}"] {
            assert!(read_result("a1", value).is_err());
        }
    }
}

//! The value of `celery-task-meta-<id>`, without what the task returned.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::Error;
use serde_json::Value;
use serde_json::value::RawValue;

use super::body::TaskBody;
use super::bounded;
use super::lenient::{Number, Text};
use super::text::cut;
use super::traceback::failed_at;
use super::{msgpack, pickle};
use crate::model::{Exception, TaskResult, TaskStatus, Timestamp};

/// The longest exception message that is kept, in bytes.
const MESSAGE: usize = 512;

/// The longest name that is kept of a task or a worker, in bytes.
const NAME: usize = 256;

/// The fields of a result that are read, of whatever size the others are.
#[derive(Deserialize)]
pub(super) struct Meta<'a> {
    status: Option<String>,
    /// Usually what the task returned, which is private.
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub traceback: Text<'a>,
    #[serde(borrow, default)]
    pub date_done: Text<'a>,
    #[serde(borrow, default)]
    pub name: Text<'a>,
    #[serde(borrow, default)]
    pub worker: Text<'a>,
    #[serde(default)]
    pub retries: Option<Number>,
}

impl<'a> Meta<'a> {
    /// Reads a result in JSON.
    ///
    /// # Errors
    ///
    /// The error of `serde_json`, if it is no object with a status.
    pub fn of(json: &'a [u8]) -> Result<Self, serde_json::Error> {
        let meta: Self = serde_json::from_slice(json)?;
        if meta.status.is_some() { Ok(meta) } else { Err(serde_json::Error::missing_field("status")) }
    }

    /// Its status as it was written.
    pub fn status(&self) -> &str {
        self.status.as_deref().unwrap_or_default()
    }

    /// What Celery itself wrote as the result, null where the task did.
    pub fn fields(&self, status: &TaskStatus) -> Value {
        let raw = self.result.filter(|_| keeps_result(status));
        raw.and_then(|raw| bounded::read(raw.get().as_bytes()).ok()).unwrap_or_default()
    }
}

/// A result as JSON, whichever serializer wrote it (`result_serializer`): they are told
/// apart by how they begin. Nothing pickled is loaded. Anything else is left unchanged.
pub(super) fn as_json(value: &[u8]) -> Cow<'_, [u8]> {
    let other: Option<Value> = match value {
        [] | [b'{', ..] => None,
        // Pickle protocol 2 or later starts with a marker; an empty map is no result.
        [0x80, 2..=5, ..] => pickle::walk_result(value).ok(),
        [0x81..=0x8f | 0xde | 0xdf, ..] => msgpack::walk(value).ok(),
        _ if value.len() <= TaskBody::LIMIT => serde_saphyr::from_slice(value).ok(),
        _ => None,
    };
    other.filter(Value::is_object).map_or(Cow::Borrowed(value), |value| value.to_string().into_bytes().into())
}

/// Reads a result. The task's return value is not read.
///
/// # Errors
///
/// The error of `serde_json`, if the value is no object with a status, neither in JSON nor
/// in another of Celery's serializers.
pub fn read_result(task_id: &str, value: &[u8]) -> Result<TaskResult, serde_json::Error> {
    let value = as_json(value);
    let meta = Meta::of(&value)?;
    let status = read_status(meta.status());
    let fields = meta.fields(&status);
    let name = |text: &str| cut(text, NAME).into();
    Ok(TaskResult {
        task_id: task_id.into(),
        exception: exception(&fields),
        failed_at: meta.traceback.as_deref().and_then(failed_at),
        done: meta.date_done.as_deref().and_then(read_time),
        worker: match status {
            TaskStatus::Started => fields["hostname"].as_str().map(name),
            _ => meta.worker.as_deref().map(name),
        },
        task: meta.name.as_deref().map(name),
        retries: meta.retries.map(Number::count),
        seen: Timestamp::UNSET,
        status,
    })
}

pub(super) fn read_status(name: &str) -> TaskStatus {
    match name {
        "PENDING" | "RECEIVED" => TaskStatus::Pending,
        "STARTED" => TaskStatus::Started,
        "RETRY" => TaskStatus::Retry,
        "SUCCESS" => TaskStatus::Success,
        "FAILURE" => TaskStatus::Failure,
        "REVOKED" | "REJECTED" | "IGNORED" => TaskStatus::Revoked,
        other => TaskStatus::Custom(cut(other, 64).into()),
    }
}

/// Whether Celery itself wrote the result of this status: an exception, or who began. For
/// any other status it is the task's, and private.
const fn keeps_result(status: &TaskStatus) -> bool {
    matches!(status, TaskStatus::Started | TaskStatus::Failure | TaskStatus::Retry | TaskStatus::Revoked)
}

pub(super) fn exception(fields: &Value) -> Option<Exception> {
    let kind = fields["exc_type"].as_str()?;
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let message = match &fields["exc_message"] {
        Value::Null => String::new(),
        // The arguments of the exception.
        Value::Array(parts) => parts.iter().map(text).collect::<Vec<_>>().join(", "),
        other => text(other),
    };
    Some(Exception { kind: cut(kind, 128).into(), message: cut(&message, MESSAGE).into() })
}

/// Reads one of Celery's time stamps: RFC 3339, or without an offset, in UTC.
pub(super) fn read_time(text: &str) -> Option<Timestamp> {
    Timestamp::parse_rfc3339(text).or_else(|| Timestamp::parse_rfc3339(&format!("{text}Z")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_has_its_exception_and_nothing_that_was_returned() {
        let value = br#"{"status": "FAILURE", "result": {"exc_type": "TimeLimitExceeded", "exc_message": [1]}, "date_done": "2026-11-22T19:59:49.398"}"#;
        let result = read_result("a1", value).expect("valid");
        assert_eq!(result.status, TaskStatus::Failure);
        assert_eq!(&*result.exception.expect("failed").message, "1");
        assert_eq!(result.done.expect("done").to_string(), "2026-11-22T19:59:49.398Z");
        let success =
            read_result("a1", br#"{"status": "SUCCESS", "result": {"card": "4111"}}"#).expect("valid");
        assert!(!format!("{success:?}").contains("4111"));
    }

    #[test]
    fn every_serializer_is_read() {
        let pickled =
            b"\x80\x04}(\x8c\x06status\x8c\x07FAILURE\x8c\x06result\x8c\x01m\x8c\x01E\x93\x8c\x03x.y\x85Ru.";
        let packed = b"\x82\xa6status\xa7FAILURE\xa6result\x82\xa8exc_type\xa1E\xabexc_message\x91\xa3x.y";
        let yaml = b"date_done: '2026-11-22T19:59:49'\nresult:\n  exc_message: [x.y]\n  exc_type: E\nstatus: FAILURE\n";
        for value in [&pickled[..], packed, yaml] {
            let result = read_result("a1", value).expect("a result");
            assert_eq!(result.status, TaskStatus::Failure);
            assert_eq!(result.exception, Some(Exception { kind: "E".into(), message: "x.y".into() }));
        }
    }

    #[test]
    fn who_ran_it_is_known_from_a_start_and_from_an_extended_result() {
        let started = br#"{"status": "STARTED", "result": {"pid": 7, "hostname": "celery@web-1"}}"#;
        let started = read_result("a1", started).expect("valid");
        assert_eq!((started.status, started.worker), (TaskStatus::Started, Some("celery@web-1".into())));
        assert_eq!(started.exception, None);
        let extended = br#"{"status": "SUCCESS", "result": 1e999, "name": "process_order", "worker": "celery@vm", "retries": 2, "traceback": null}"#;
        let extended = read_result("a1", extended).expect("valid");
        assert_eq!(extended.task, Some("process_order".into()));
        assert_eq!(extended.worker, Some("celery@vm".into()));
        assert_eq!((extended.retries, extended.failed_at), (Some(2), None));
        assert_eq!(read_result("a1", br#"{"status": "SUCCESS"}"#).expect("valid").retries, None);
    }

    #[test]
    fn other_states_are_read_as_what_they_mean() {
        let status = |name: &str| {
            read_result("a1", format!("{{\"status\": \"{name}\"}}").as_bytes()).expect("valid").status
        };
        assert_eq!(status("REJECTED"), TaskStatus::Revoked);
        assert_eq!(status("RECEIVED"), TaskStatus::Pending);
        assert_eq!(status("PROGRESS"), TaskStatus::Custom("PROGRESS".into()));
    }

    #[test]
    fn what_is_no_result_is_an_error() {
        for value in [&b""[..], b"[]", b"{}", b"\xff", b"{\"status\": 3}", b"\x80\x04", b"free text", b"\x81"]
        {
            assert!(read_result("a1", value).is_err());
        }
    }
}

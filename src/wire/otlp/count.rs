//! How much metrics and log requests hold. They are taken so that no SDK logs
//! an error, and counted so that a person sees that they came; nothing is kept.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

use super::DecodeError;
use super::protobuf::{Fields, Value};

/// The data points of an `ExportMetricsServiceRequest`.
///
/// # Errors
///
/// [`DecodeError::Protobuf`] with the byte at which the message breaks.
pub fn count_metrics_protobuf(body: &[u8]) -> Result<u64, DecodeError> {
    // resource_metrics, scope_metrics, metrics; then gauge, sum, histogram,
    // exponential_histogram or summary, each with its data_points.
    count(body, 0, &[&[1], &[2], &[2], &[5, 7, 9, 10, 11], &[1]])
}

/// The records of an `ExportLogsServiceRequest`.
///
/// # Errors
///
/// [`DecodeError::Protobuf`] with the byte at which the message breaks.
pub fn count_logs_protobuf(body: &[u8]) -> Result<u64, DecodeError> {
    // resource_logs, scope_logs, log_records.
    count(body, 0, &[&[1], &[2], &[2]])
}

/// Counts the messages at the end of a path of field numbers, which is as deep
/// as this recurses.
fn count(bytes: &[u8], at: usize, path: &[&[u32]]) -> Result<u64, DecodeError> {
    let Some((step, rest)) = path.split_first() else { return Ok(1) };
    let mut sum = 0;
    for field in Fields::of(bytes, at) {
        if let (number, Value::Bytes(message, at)) = field?
            && step.contains(&number)
        {
            sum += count(message, at, rest)?;
        }
    }
    Ok(sum)
}

/// The data points of a metrics request in JSON.
///
/// # Errors
///
/// [`DecodeError::Json`] with the line and column at which the text breaks.
pub fn count_metrics_json(body: &[u8]) -> Result<u64, DecodeError> {
    let request: Metrics = serde_json::from_slice(body)?;
    let metrics = request.resources.0.into_iter().flat_map(|resource| resource.scopes.0);
    let metrics = metrics.flat_map(|scope| scope.metrics.0);
    Ok(metrics
        .flat_map(|metric| {
            [metric.gauge, metric.sum, metric.histogram, metric.exponential_histogram, metric.summary]
        })
        .flatten()
        .map(|data| data.data_points.0)
        .sum())
}

/// The records of a logs request in JSON.
///
/// # Errors
///
/// [`DecodeError::Json`] with the line and column at which the text breaks.
pub fn count_logs_json(body: &[u8]) -> Result<u64, DecodeError> {
    let request: Logs = serde_json::from_slice(body)?;
    let scopes = request.resources.0.into_iter().flat_map(|resource| resource.scopes.0);
    Ok(scopes.map(|scope| scope.records.0).sum())
}

#[derive(Deserialize)]
struct Metrics {
    #[serde(default, rename = "resourceMetrics", alias = "resource_metrics")]
    resources: List<ResourceMetrics>,
}

#[derive(Deserialize)]
struct ResourceMetrics {
    #[serde(default, rename = "scopeMetrics", alias = "scope_metrics")]
    scopes: List<ScopeMetrics>,
}

#[derive(Deserialize)]
struct ScopeMetrics {
    #[serde(default)]
    metrics: List<Metric>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metric {
    gauge: Option<Data>,
    sum: Option<Data>,
    histogram: Option<Data>,
    #[serde(alias = "exponential_histogram")]
    exponential_histogram: Option<Data>,
    summary: Option<Data>,
}

#[derive(Deserialize)]
struct Data {
    #[serde(default, rename = "dataPoints", alias = "data_points")]
    data_points: Counted,
}

#[derive(Deserialize)]
struct Logs {
    #[serde(default, rename = "resourceLogs", alias = "resource_logs")]
    resources: List<ResourceLogs>,
}

#[derive(Deserialize)]
struct ResourceLogs {
    #[serde(default, rename = "scopeLogs", alias = "scope_logs")]
    scopes: List<ScopeLogs>,
}

#[derive(Deserialize)]
struct ScopeLogs {
    #[serde(default, rename = "logRecords", alias = "log_records")]
    records: Counted,
}

/// A list, or `null` for none.
struct List<T>(Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(|list| Self(list.unwrap_or_default()))
    }
}

/// The length of a list of anything, or `null` for 0.
#[derive(Default)]
struct Counted(u64);

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Counter;

        impl<'de> Visitor<'de> for Counter {
            type Value = u64;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list")
            }

            fn visit_unit<E>(self) -> Result<u64, E> {
                Ok(0)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<u64, A::Error> {
                let mut count = 0;
                while list.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(count)
            }
        }

        deserializer.deserialize_any(Counter).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A message of one field, which is shorter than 128 bytes.
    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len()).expect("short");
        [&[number << 3 | 2, length], content].concat()
    }

    #[test]
    fn data_points_of_every_kind_are_counted() {
        let kinds: Vec<u8> = [5, 7, 9, 10, 11]
            .into_iter()
            .flat_map(|kind| field(2, &field(kind, &[field(1, b""), field(1, b"")].concat())))
            .collect();
        let body = field(1, &field(2, &kinds));
        assert_eq!(count_metrics_protobuf(&body).expect("whole"), 10);
        let body = br#"{"resourceMetrics": [{"resource": {}, "scopeMetrics": [{"scope": null, "metrics": [
            {"name": "a", "gauge": {"dataPoints": [{}, {"asInt": "4"}]}}, {"sum": {"data_points": [{}]}},
            {"histogram": {"dataPoints": null}}, {"exponentialHistogram": {"dataPoints": [1]}}, {"summary": {}}
        ]}]}]}"#;
        assert_eq!(count_metrics_json(body).expect("whole"), 4);
    }

    #[test]
    fn records_are_counted() {
        let body = field(1, &field(2, &[field(2, b""), field(1, b""), field(2, b"")].concat()));
        assert_eq!(count_logs_protobuf(&body).expect("whole"), 2);
        let body = br#"{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {}}, {}]}, {}]}, {"scopeLogs": null}]}"#;
        assert_eq!(count_logs_json(body).expect("whole"), 2);
        assert_eq!(count_logs_json(b"{}").expect("empty"), 0);
        assert_eq!(count_logs_protobuf(b"").expect("empty"), 0);
    }

    #[test]
    fn a_break_is_named_by_its_place() {
        let error = count_logs_protobuf(b"\x0a\x05\x12\x03\x12\x7f").expect_err("cut");
        assert_eq!(error.to_string(), "broken protobuf at byte 2: a field is longer than its message");
        let error = count_metrics_json(b"{\n \"resourceMetrics\": [}").expect_err("cut");
        assert!(error.to_string().contains("line 2 column 22"), "{error}");
        assert!(count_logs_json(br#"{"resourceLogs": 7}"#).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = (count_logs_protobuf(&bytes), count_metrics_protobuf(&bytes));
            let _ = (count_logs_json(&bytes), count_metrics_json(&bytes));
        }
    }
}

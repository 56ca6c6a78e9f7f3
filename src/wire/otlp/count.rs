//! How much metrics and log requests contain. They are accepted so that no SDK logs an
//! error, and counted so that a person sees that they came. Nothing is kept.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

use super::DecodeError;
use super::protobuf::{Fields, Value};
use super::signal::OtherSignal;

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

/// The records of a request of this signal in protobuf.
///
/// # Errors
///
/// [`DecodeError::Protobuf`] with the byte at which the message breaks.
pub fn count_protobuf(signal: OtherSignal, body: &[u8]) -> Result<u64, DecodeError> {
    match signal {
        // resource_profiles, scope_profiles, profiles are numbered as those of logs.
        OtherSignal::Logs | OtherSignal::Profiles => count_logs_protobuf(body),
        OtherSignal::Metrics => count_metrics_protobuf(body),
    }
}

/// Counts the messages at the end of a path of field numbers. It recurses as deep as the
/// path.
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
    Ok(serde_json::from_slice::<Metrics>(body)?.count())
}

/// The records of a logs request in JSON.
///
/// # Errors
///
/// [`DecodeError::Json`] with the line and column at which the text breaks.
pub fn count_logs_json(body: &[u8]) -> Result<u64, DecodeError> {
    Ok(serde_json::from_slice::<Logs>(body)?.resources.0)
}

/// Something that contains records.
pub(super) trait Holds {
    fn count(&self) -> u64;
}

#[derive(Deserialize)]
struct Metrics {
    #[serde(default, rename = "resourceMetrics", alias = "resource_metrics")]
    resources: Sum<ResourceMetrics>,
}

#[derive(Deserialize)]
pub(super) struct ResourceMetrics {
    #[serde(default, rename = "scopeMetrics", alias = "scope_metrics")]
    scopes: Sum<ScopeMetrics>,
}

#[derive(Deserialize)]
struct ScopeMetrics {
    #[serde(default)]
    metrics: Sum<Metric>,
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
    data_points: Sum<IgnoredAny>,
}

#[derive(Deserialize)]
struct Logs {
    #[serde(default, rename = "resourceLogs", alias = "resource_logs")]
    resources: Sum<ResourceLogs>,
}

#[derive(Deserialize)]
pub(super) struct ResourceLogs {
    #[serde(default, rename = "scopeLogs", alias = "scope_logs")]
    scopes: Sum<ScopeLogs>,
}

#[derive(Deserialize)]
struct ScopeLogs {
    #[serde(default, rename = "logRecords", alias = "log_records")]
    records: Sum<IgnoredAny>,
}

#[derive(Deserialize)]
pub(super) struct ResourceProfiles {
    #[serde(default, rename = "scopeProfiles", alias = "scope_profiles")]
    scopes: Sum<ScopeProfiles>,
}

#[derive(Deserialize)]
struct ScopeProfiles {
    #[serde(default)]
    profiles: Sum<IgnoredAny>,
}

impl Holds for IgnoredAny {
    fn count(&self) -> u64 {
        1
    }
}

impl Holds for Metrics {
    fn count(&self) -> u64 {
        self.resources.0
    }
}

impl Holds for ResourceMetrics {
    fn count(&self) -> u64 {
        self.scopes.0
    }
}

impl Holds for ScopeMetrics {
    fn count(&self) -> u64 {
        self.metrics.0
    }
}

impl Holds for Metric {
    fn count(&self) -> u64 {
        let Self { gauge, sum, histogram, exponential_histogram, summary } = self;
        let all = [gauge, sum, histogram, exponential_histogram, summary];
        all.into_iter().flatten().map(|data| data.data_points.0).sum()
    }
}

impl Holds for ResourceLogs {
    fn count(&self) -> u64 {
        self.scopes.0
    }
}

impl Holds for ScopeLogs {
    fn count(&self) -> u64 {
        self.records.0
    }
}

impl Holds for ResourceProfiles {
    fn count(&self) -> u64 {
        self.scopes.0
    }
}

impl Holds for ScopeProfiles {
    fn count(&self) -> u64 {
        self.profiles.0
    }
}

/// How much the elements of a list contain; `null` counts as an empty one. None of them is
/// kept: `{},` is three bytes of a request, and a hundred as a metric.
struct Sum<T>(u64, PhantomData<T>);

impl<T> Default for Sum<T> {
    fn default() -> Self {
        Self(0, PhantomData)
    }
}

impl<'de, T: Holds + Deserialize<'de>> Deserialize<'de> for Sum<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Adder<T>(PhantomData<T>);

        impl<'de, T: Holds + Deserialize<'de>> Visitor<'de> for Adder<T> {
            type Value = u64;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list")
            }

            fn visit_unit<E>(self) -> Result<u64, E> {
                Ok(0)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<u64, A::Error> {
                let mut sum = 0;
                while let Some(element) = list.next_element::<T>()? {
                    sum += element.count();
                }
                Ok(sum)
            }
        }

        deserializer.deserialize_any(Adder::<T>(PhantomData)).map(|sum| Self(sum, PhantomData))
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

//! Metrics and logs: how much came, and nothing of what it says.
//!
//! A receiver takes them so that no SDK logs an error. The field numbers are
//! those of `opentelemetry/proto/{metrics,logs}/v1`.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::DecodeError;
use super::protobuf::{Fields, Step, Value};

/// The number of log records in an `ExportLogsServiceRequest`.
///
/// # Errors
///
/// [`DecodeError`] with the place at which the request breaks.
pub fn count_logs(body: &[u8], is_json: bool) -> Result<u64, DecodeError> {
    if is_json {
        let request: Logs = serde_json::from_slice(body)?;
        let scopes = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
        return Ok(scopes.map(|scope| scope.log_records.len() as u64).sum());
    }
    // Of each resource (1) each scope (2), and of that each record (2).
    count(body, 0, &[1, 2, 2])
}

/// The number of data points in an `ExportMetricsServiceRequest`.
///
/// # Errors
///
/// [`DecodeError`] with the place at which the request breaks.
pub fn count_metrics(body: &[u8], is_json: bool) -> Result<u64, DecodeError> {
    if is_json {
        let request: Metrics = serde_json::from_slice(body)?;
        let scopes = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
        return Ok(scopes.flat_map(|scope| &scope.metrics).map(Metric::points).sum());
    }
    // A metric (2) holds a gauge, sum, histogram, exponential histogram or
    // summary, and the points of each are its first field.
    [5, 7, 9, 10, 11].into_iter().map(|kind| count(body, 0, &[1, 2, 2, kind, 1])).sum()
}

/// How many messages lie at the end of a path of field numbers.
fn count(bytes: &[u8], base: usize, path: &[u32]) -> Step<u64> {
    let Some((wanted, rest)) = path.split_first() else { return Ok(1) };
    let mut found = 0;
    for field in Fields::of(bytes, base) {
        match field? {
            (number, Value::Bytes(message, at)) if number == *wanted => found += count(message, at, rest)?,
            _ => {}
        }
    }
    Ok(found)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Logs {
    #[serde(default)]
    resource_logs: Vec<ResourceLogs>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceLogs {
    #[serde(default)]
    scope_logs: Vec<ScopeLogs>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScopeLogs {
    #[serde(default)]
    log_records: Vec<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metrics {
    #[serde(default)]
    resource_metrics: Vec<ResourceMetrics>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceMetrics {
    #[serde(default)]
    scope_metrics: Vec<ScopeMetrics>,
}

#[derive(Deserialize)]
struct ScopeMetrics {
    #[serde(default)]
    metrics: Vec<Metric>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metric {
    gauge: Option<Points>,
    sum: Option<Points>,
    histogram: Option<Points>,
    exponential_histogram: Option<Points>,
    summary: Option<Points>,
}

impl Metric {
    fn points(&self) -> u64 {
        let kinds = [&self.gauge, &self.sum, &self.histogram, &self.exponential_histogram, &self.summary];
        kinds.into_iter().flatten().map(|points| points.data_points.len() as u64).sum()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Points {
    #[serde(default)]
    data_points: Vec<IgnoredAny>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_encodings_are_counted() {
        let json = br#"{"resourceLogs": [{"scopeLogs": [{"logRecords": [{}, {"body": {}}]}]}]}"#;
        assert_eq!(count_logs(json, true).expect("JSON"), 2);
        let protobuf = [0x0a, 6, 0x12, 4, 0x12, 0, 0x12, 0];
        assert_eq!(count_logs(&protobuf, false).expect("protobuf"), 2);

        let json = br#"{"resourceMetrics": [{"scopeMetrics": [{"metrics": [
            {"name": "a", "sum": {"dataPoints": [{}, {}]}}, {"name": "b", "gauge": {"dataPoints": [{}]}}]}]}]}"#;
        assert_eq!(count_metrics(json, true).expect("JSON"), 3);
        // A sum (7) of two points and a gauge (5) of one.
        let protobuf = [0x0a, 16, 0x12, 14, 0x12, 6, 0x3a, 4, 0x0a, 0, 0x0a, 0, 0x12, 4, 0x2a, 2, 0x0a, 0];
        assert_eq!(count_metrics(&protobuf, false).expect("protobuf"), 3);
    }

    #[test]
    fn a_break_is_named_by_its_place() {
        let error = count_logs(&[0x0a, 5, 0x12], false).expect_err("cut");
        assert_eq!(error.to_string(), "broken protobuf at byte 2: a field is longer than its message");
        assert!(count_metrics(b"{", true).is_err());
    }
}

//! Small scenes: what exporters sent and brokers held, in the terms of the wire, and how
//! they become evidence and a report.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value as Any};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};

use crate::diagnosis::{Listing, report};
use crate::evidence::{BrokerIntake, Evidence, Keep};
use crate::model::{Report, Timestamp};
use crate::report::{FormatName, Subject, Verbosity, View};
use crate::wire::broker::Completeness;
use crate::wire::celery::ReadOptions;
use crate::wire::celery::redis_layout::{Naming, RedisReader};
use crate::wire::snapshot::read_key;

/// When scenes play.
pub const START: Timestamp = Timestamp::from_nanos(1_795_376_994_000_000_000);

/// A text attribute.
pub fn attribute(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Any::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

/// A request of one process.
pub fn request(attributes: Vec<KeyValue>, scope_spans: Vec<ScopeSpans>) -> ExportTraceServiceRequest {
    let resource = Some(Resource { attributes, ..Resource::default() });
    let of_process = ResourceSpans { resource, scope_spans, ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![of_process] }
}

/// Files a complete look at a broker: the lines of a snapshot, without its head. Lines that
/// cannot be read are passed over.
pub fn look(evidence: &mut Evidence, broker: &str, at: Timestamp, lines: &[String]) {
    let lines: Vec<_> = lines.iter().filter_map(|line| read_key(line.as_bytes()).ok()).collect();
    let mut intake = BrokerIntake::new(evidence, broker, at, Keep::Each);
    let mut reader = RedisReader::new(Naming::default(), ReadOptions::default());
    reader.begin_look(&mut intake);
    lines.iter().for_each(|line| reader.announce(line, &mut intake));
    lines.iter().for_each(|line| reader.take(line, &mut intake));
    let all = Completeness { held: true, since: Some(at), left_out: 0, ended_early: false };
    reader.end_look(all, &mut intake);
}

/// The report of evidence from files.
pub fn judged(evidence: &Evidence) -> Report {
    report(evidence, evidence.clock(), Listing::default())
}

/// What is printed of evidence, in one format.
pub fn printed(evidence: &Evidence, format: FormatName) -> String {
    let report = judged(evidence);
    let view = View { width: 100, verbosity: Verbosity::Verbose, ..View::default() };
    let mut out = Vec::new();
    format.writer().report(&report, Subject::Handoffs, &view, &mut out).expect("memory takes it");
    String::from_utf8_lossy(&out).into_owned()
}

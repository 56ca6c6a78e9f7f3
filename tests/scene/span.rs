//! A span, as an exporter sends it, and what a test changes of it.

use serde_json::{Value, json};

use super::time;

pub struct SpanBuilder {
    pub(super) service: String,
    pub(super) instance: Option<String>,
    host: Option<(String, i64)>,
    distribution: Option<(String, String)>,
    scope: Option<(String, String)>,
    pub(super) value: Value,
}

/// A span of a service. Ids are small numbers; 0 as a trace id is an invalid one.
pub fn span(service: &str, name: &str, kind: &str, trace: u8, id: u8) -> SpanBuilder {
    let kinds = ["", "internal", "server", "client", "producer", "consumer"];
    let kind = kinds.iter().position(|known| *known == kind).expect("a kind");
    SpanBuilder {
        service: service.to_owned(),
        instance: None,
        host: None,
        distribution: None,
        scope: None,
        value: json!({"traceId": format!("{trace:032x}"), "spanId": format!("{id:016x}"), "name": name, "kind": kind, "flags": 256, "attributes": []}),
    }
}

impl SpanBuilder {
    pub fn at(mut self, start: u64, end: u64) -> Self {
        self.value["startTimeUnixNano"] = time(start).to_string().into();
        self.value["endTimeUnixNano"] = time(end).to_string().into();
        self
    }

    pub fn numbered(mut self, id: u64) -> Self {
        self.value["spanId"] = format!("{id:016x}").into();
        self
    }

    /// Below another span; 0 is none.
    pub fn under(mut self, parent: u64) -> Self {
        let parent = if parent == 0 { String::new() } else { format!("{parent:016x}") };
        self.value["parentSpanId"] = parent.into();
        self
    }

    /// The parent came in with a carrier.
    pub fn remote(mut self) -> Self {
        self.value["flags"] = 768.into();
        self
    }

    /// As exporters did that say nothing of where the parent is.
    pub fn without_flags(mut self) -> Self {
        self.value["flags"] = 0.into();
        self
    }

    pub fn local(mut self) -> Self {
        self.value["flags"] = 256.into();
        self
    }

    pub fn text(mut self, key: &str, value: &str) -> Self {
        let attributes = self.value["attributes"].as_array_mut().expect("a list");
        attributes.retain(|attribute| attribute["key"] != key);
        attributes.push(json!({"key": key, "value": {"stringValue": value}}));
        self
    }

    pub fn int(mut self, key: &str, value: i64) -> Self {
        let attributes = self.value["attributes"].as_array_mut().expect("a list");
        attributes.retain(|attribute| attribute["key"] != key);
        attributes.push(json!({"key": key, "value": {"intValue": value.to_string()}}));
        self
    }

    pub fn in_trace(self, trace: u8) -> Self {
        self.in_long_trace(&format!("{trace:032x}"))
    }

    pub fn in_long_trace(mut self, trace: &str) -> Self {
        self.value["traceId"] = trace.into();
        self
    }

    pub fn link(mut self, trace: u8, id: u8) -> Self {
        self.value["links"] = json!([{"traceId": format!("{trace:032x}"), "spanId": format!("{id:016x}")}]);
        self
    }

    pub fn links(mut self, links: &[(u8, u8)]) -> Self {
        let links = links
            .iter()
            .map(|(trace, id)| json!({"traceId": format!("{trace:032x}"), "spanId": format!("{id:016x}")}));
        self.value["links"] = links.collect();
        self
    }

    pub fn error(mut self, kind: &str, text: &str) -> Self {
        self.value["status"] = json!({"code": 2});
        let attributes = json!([
            {"key": "exception.type", "value": {"stringValue": kind}},
            {"key": "exception.message", "value": {"stringValue": text}},
        ]);
        self.value["events"] = json!([{"name": "exception", "attributes": attributes}]);
        self
    }

    pub fn of(mut self, service: &str) -> Self {
        service.clone_into(&mut self.service);
        self
    }

    /// A launcher set OpenTelemetry up, and no code of its program.
    pub fn zero_code(self) -> Self {
        self.of_distribution("telemetry.auto.version", "0.66b2")
    }

    pub fn instance(mut self, instance: &str) -> Self {
        self.instance = Some(instance.to_owned());
        self
    }

    /// Another attribute of its resource.
    pub fn of_distribution(mut self, key: &str, value: &str) -> Self {
        self.distribution = Some((key.to_owned(), value.to_owned()));
        self
    }

    /// The host and the number of its process.
    pub fn process(mut self, host: &str, pid: i64) -> Self {
        self.host = Some((host.to_owned(), pid));
        self
    }

    /// The instrumentor that made it, of Python.
    pub fn by(mut self, instrumentor: &str, version: &str) -> Self {
        self.scope = Some((format!("opentelemetry.instrumentation.{instrumentor}"), version.to_owned()));
        self
    }

    pub(super) fn scope(&self) -> Value {
        self.scope
            .as_ref()
            .map_or_else(|| json!({}), |(name, version)| json!({"name": name, "version": version}))
    }

    pub(super) fn resource(&self) -> Value {
        let mut attributes = vec![json!({"key": "service.name", "value": {"stringValue": self.service}})];
        if let Some(instance) = &self.instance {
            attributes.push(json!({"key": "service.instance.id", "value": {"stringValue": instance}}));
        }
        if let Some((host, pid)) = &self.host {
            attributes.push(json!({"key": "host.name", "value": {"stringValue": host}}));
            attributes.push(json!({"key": "process.pid", "value": {"intValue": pid.to_string()}}));
        }
        if let Some((key, value)) = &self.distribution {
            attributes.push(json!({"key": key, "value": {"stringValue": value}}));
        }
        attributes.into()
    }
}

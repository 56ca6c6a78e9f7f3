//! The parts of a request, as the specification names them.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::AttributeValue;
use crate::wire::json::{List, Loose, object};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<'a> {
    #[serde(borrow, default, alias = "resource_spans")]
    pub resource_spans: List<'a>,
    /// Tempo calls them so.
    #[serde(borrow, default)]
    pub batches: List<'a>,
    /// Tempo wraps it so.
    #[serde(borrow, default)]
    pub trace: Option<&'a RawValue>,
    /// Jaeger's API wraps it so.
    #[serde(borrow, default)]
    pub result: Option<&'a RawValue>,
    /// Whether the trace is whole, in Tempo's answer.
    #[serde(borrow, default)]
    pub status: Option<&'a RawValue>,
    #[serde(borrow, default, alias = "resource_logs")]
    pub resource_logs: List<'a>,
    #[serde(borrow, default, alias = "resource_metrics")]
    pub resource_metrics: List<'a>,
    #[serde(borrow, default, alias = "resource_profiles")]
    pub resource_profiles: List<'a>,
    /// How an API ended its answer.
    #[serde(borrow, default)]
    pub error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wrapped<'a> {
    #[serde(borrow, default, alias = "resource_spans", alias = "batches")]
    pub resource_spans: List<'a>,
}

#[derive(Deserialize)]
pub struct Attributes<'a> {
    #[serde(borrow, default)]
    pub attributes: List<'a>,
}

#[derive(Deserialize)]
pub struct JsonScope<'a> {
    #[serde(borrow, default)]
    pub name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub version: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JsonSpan<'a> {
    #[serde(borrow, default, alias = "trace_id")]
    pub trace_id: Loose<'a>,
    #[serde(borrow, default, alias = "span_id")]
    pub span_id: Loose<'a>,
    #[serde(borrow, default, alias = "trace_state")]
    pub trace_state: Loose<'a>,
    #[serde(borrow, default, alias = "parent_span_id")]
    pub parent_span_id: Loose<'a>,
    #[serde(borrow, default)]
    pub name: Loose<'a>,
    #[serde(borrow, default)]
    pub kind: Loose<'a>,
    #[serde(borrow, default, alias = "start_time_unix_nano")]
    pub start_time_unix_nano: Loose<'a>,
    #[serde(borrow, default, alias = "end_time_unix_nano")]
    pub end_time_unix_nano: Loose<'a>,
    #[serde(borrow, default)]
    pub attributes: List<'a>,
    #[serde(borrow, default)]
    pub events: List<'a>,
    #[serde(borrow, default)]
    pub links: List<'a>,
    #[serde(borrow, default, deserialize_with = "object")]
    pub status: Option<JsonStatus<'a>>,
    #[serde(borrow, default)]
    pub flags: Loose<'a>,
}

#[derive(Deserialize)]
pub struct Event<'a> {
    #[serde(borrow, default)]
    pub name: Loose<'a>,
    #[serde(borrow, default)]
    pub attributes: List<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Link<'a> {
    #[serde(borrow, default, alias = "trace_id")]
    pub trace_id: Loose<'a>,
    #[serde(borrow, default, alias = "span_id")]
    pub span_id: Loose<'a>,
    #[serde(borrow, default)]
    pub flags: Loose<'a>,
}

#[derive(Deserialize)]
pub struct JsonStatus<'a> {
    #[serde(borrow, default)]
    pub message: Loose<'a>,
    #[serde(borrow, default)]
    pub code: Loose<'a>,
}

#[derive(Deserialize)]
pub struct Pair<'a> {
    #[serde(borrow, default)]
    pub key: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "object")]
    pub value: Option<AnyValue<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AnyValue<'a> {
    #[serde(borrow, default, alias = "string_value")]
    pub string_value: Loose<'a>,
    #[serde(default, alias = "bool_value")]
    pub bool_value: Option<bool>,
    #[serde(borrow, default, alias = "int_value")]
    pub int_value: Loose<'a>,
    #[serde(borrow, default, alias = "double_value")]
    pub double_value: Loose<'a>,
}

impl<'a> AnyValue<'a> {
    pub fn read(self) -> AttributeValue<'a> {
        if let Loose::Text(text) = self.string_value {
            return AttributeValue::Text(text);
        }
        if let Some(flag) = self.bool_value {
            return AttributeValue::Bool(flag);
        }
        if let Some(number) = self.int_value.int().and_then(|number| i64::try_from(number).ok()) {
            return AttributeValue::Int(number);
        }
        self.double_value.double().map_or(AttributeValue::Other, AttributeValue::Double)
    }
}

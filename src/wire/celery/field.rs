//! The names that propagators give to the parts of a context, and what may be told of a value
//! under one of them.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::wrapping::bytes_of;
use crate::model::{ContextFormat, HIDDEN};
use crate::wire::context::{baggage, xray};

/// The names under which contexts travel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Field {
    Traceparent,
    Tracestate,
    Baggage,
    B3,
    B3TraceId,
    B3SpanId,
    B3Sampled,
    B3Flags,
    B3ParentSpanId,
    Jaeger,
    OtTraceId,
    OtSpanId,
    OtSampled,
    DatadogTraceId,
    DatadogParentId,
    DatadogPriority,
    DatadogTags,
    XRay,
    Sentry,
    Elastic,
}

impl Field {
    /// Each name as its propagator writes and reads it.
    const NAMES: [(&'static str, Self); 21] = [
        ("traceparent", Self::Traceparent),
        ("tracestate", Self::Tracestate),
        ("baggage", Self::Baggage),
        ("b3", Self::B3),
        ("x-b3-traceid", Self::B3TraceId),
        ("x-b3-spanid", Self::B3SpanId),
        ("x-b3-sampled", Self::B3Sampled),
        ("x-b3-flags", Self::B3Flags),
        ("x-b3-parentspanid", Self::B3ParentSpanId),
        ("uber-trace-id", Self::Jaeger),
        ("ot-tracer-traceid", Self::OtTraceId),
        ("ot-tracer-spanid", Self::OtSpanId),
        ("ot-tracer-sampled", Self::OtSampled),
        ("x-datadog-trace-id", Self::DatadogTraceId),
        ("x-datadog-parent-id", Self::DatadogParentId),
        ("x-datadog-sampling-priority", Self::DatadogPriority),
        ("x-datadog-tags", Self::DatadogTags),
        ("X-Amzn-Trace-Id", Self::XRay),
        ("sentry-trace", Self::Sentry),
        ("elastic-apm-traceparent", Self::Elastic),
        ("trace_parent_string", Self::Elastic),
    ];

    /// The field with this name in any case, and whether the case is right.
    pub fn of(name: &str) -> Option<(Self, bool)> {
        let known = Self::NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        known.map(|(known, field)| (*field, *known == name))
    }

    /// The format whose ids the field holds; `None` for a companion.
    pub const fn format(self) -> Option<ContextFormat> {
        Some(match self {
            Self::Traceparent => ContextFormat::W3c,
            Self::B3 => ContextFormat::B3,
            Self::B3TraceId => ContextFormat::B3Multi,
            Self::Jaeger => ContextFormat::Jaeger,
            Self::OtTraceId => ContextFormat::OtTrace,
            Self::DatadogTraceId => ContextFormat::Datadog,
            Self::XRay => ContextFormat::XRay,
            Self::Sentry => ContextFormat::Sentry,
            Self::Elastic => ContextFormat::Elastic,
            _ => return None,
        })
    }
}

impl Field {
    /// A value under this name as it may be quoted and saved: its texts without what is
    /// private, and of what no propagator reads only whether it is an object or a list. It
    /// reads as the value itself does.
    pub fn redacted(self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.text(text).into(),
            Value::Object(map) => match bytes_of(map) {
                Some(text) => json!({"__type__": "bytes", "__value__": self.text(text)}),
                None if map.is_empty() => json!({}),
                None => json!({HIDDEN: null}),
            },
            Value::Array(list) if list.iter().all(is_flat) => {
                list.iter().map(|item| self.redacted(item)).collect()
            }
            Value::Array(_) => json!([{HIDDEN: null}]),
            // What only text may tell is private in a number too.
            Value::Number(_) | Value::Bool(_) if self.is_private() => Value::Bool(false),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    /// Whether the values that stand under this name may be anybody's, beside the keys.
    const fn is_private(self) -> bool {
        matches!(self, Self::Baggage | Self::Tracestate | Self::DatadogTags)
    }

    fn text(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::Baggage | Self::Tracestate => baggage::without_values(text).into(),
            Self::DatadogTags => {
                let is_id = |tag: &&str| {
                    let high = tag.trim().strip_prefix("_dd.p.tid=");
                    high.is_some_and(|high| u64::from_str_radix(high, 16).is_ok())
                };
                text.split(',').filter(is_id).collect::<Vec<_>>().join(",").into()
            }
            Self::XRay => xray::without_other_members(text),
            _ => text.into(),
        }
    }
}

/// Whether a value of a list is one that a reader could take for a text.
fn is_flat(value: &Value) -> bool {
    match value {
        Value::Array(_) => false,
        Value::Object(map) => bytes_of(map).is_some(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::super::carrier::Carrier;
    use super::*;

    fn found(name: &str, value: &Value) -> String {
        let mut carrier = Carrier::default();
        carrier.put(name, value);
        let contexts: Vec<_> = carrier.contexts().collect();
        format!("{contexts:?} {:?}", carrier.baggage().map(baggage::without_values))
    }

    /// Regression: what was no text was saved as one, so another flaw was read from it.
    #[test]
    fn what_is_saved_of_a_value_reads_as_the_value_itself() {
        const XRAY: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Lineage=bob";
        let values = [
            json!("bob"),
            json!(false),
            json!(7),
            json!(["bob"]),
            json!(["a=1,", "bob=2"]),
            json!([7, "bob"]),
            json!(["bob", "bob", {"who": "bob"}]),
            json!({"who": "bob"}),
            json!({"__type__": "bytes", "__value__": "bob=1", "who": "bob"}),
            json!([XRAY]),
            json!({}),
            json!([]),
        ];
        for (name, field) in Field::NAMES {
            for value in &values {
                let kept = field.redacted(value);
                assert_eq!(found(name, value), found(name, &kept), "{name}: {value} {kept}");
                assert_eq!(field.redacted(&kept), kept, "{name}: {value}");
            }
        }
    }

    #[test]
    fn of_an_object_and_of_a_list_of_them_nothing_is_told() {
        for value in [json!({"who": "bob"}), json!(["a", {"who": "bob"}]), json!([["bob"]])] {
            let kept = Field::Traceparent.redacted(&value).to_string();
            assert!(!kept.contains("bob"), "{kept}");
            assert!(!found("traceparent", &value).contains("bob"), "{value}");
        }
        for private in [Field::Baggage, Field::Tracestate, Field::DatadogTags] {
            for value in [json!("bob"), json!(4711), json!(["bob=4711"])] {
                let kept = private.redacted(&value).to_string();
                assert!(!kept.contains("4711") && !kept.contains("\"bob\""), "{private:?}: {kept}");
            }
        }
    }
}

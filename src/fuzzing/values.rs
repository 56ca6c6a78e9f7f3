//! Values as applications put them into messages: plain ones, carriers, and either wrapped
//! in any of the ways in which contexts travel.

use serde_json::{Map, Value, json};

use super::choices::Choices;

/// A valid `traceparent`.
pub const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// What stands under the names of contexts, valid and not.
const CONTEXTS: [(&str, &str); 16] = [
    ("traceparent", TRACEPARENT),
    ("traceparent", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"),
    ("traceparent", ""),
    ("Traceparent", TRACEPARENT),
    ("b3", "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1"),
    ("b3", "0"),
    ("x-b3-traceid", "4bf92f3577b34da6a3ce929d0e0e4736"),
    ("x-b3-spanid", "00f067aa0ba902b7"),
    ("uber-trace-id", "4bf92f3577b34da6a3ce929d0e0e4736:f067aa0ba902b7:0:1"),
    ("x-datadog-trace-id", "1311768467463790320"),
    ("x-datadog-parent-id", "67667974448284343"),
    ("X-Amzn-Trace-Id", "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1"),
    ("sentry-trace", "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1"),
    ("ot-tracer-traceid", "a3ce929d0e0e4736"),
    ("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"),
    ("span_id", "00f067aa0ba902b7"),
];

/// Names that applications choose.
const NAMES: [&str; 10] =
    ["order", "card", "ctx", "trace_context", "headers", "carrier", "otel", "meta", "é", "__type__"];

/// Makes values whose texts come from `text`.
pub struct Values<F> {
    pub text: F,
}

impl<F: FnMut(&mut Choices<'_>) -> String> Values<F> {
    /// Any value, of at most so many levels.
    pub fn value(&mut self, choices: &mut Choices<'_>, levels: usize) -> Value {
        let Some(levels) = levels.checked_sub(1) else { return (self.text)(choices).into() };
        match choices.below(8) {
            0 => (self.text)(choices).into(),
            1 => self.list(choices, levels),
            2 => self.mapping(choices, levels).into(),
            3 => self.carrier(choices, levels).into(),
            4 | 5 => self.wrapped(choices, levels),
            6 => choices.any::<i64>().into(),
            _ => choices.one_of(&[json!(null), json!(true), json!(0), json!(""), json!({}), json!([])]),
        }
    }

    /// A list. Two values of which the first is a text would be a member to Python's `dict`,
    /// and its text a name.
    pub fn list(&mut self, choices: &mut Choices<'_>, levels: usize) -> Value {
        let mut list: Vec<_> = (0..choices.below(4)).map(|_| self.value(choices, levels)).collect();
        if list.len() == 2 && list[0].is_string() {
            list.reverse();
            list.push(Value::Null);
        }
        list.into()
    }

    /// Members of the application's own.
    pub fn mapping(&mut self, choices: &mut Choices<'_>, levels: usize) -> Map<String, Value> {
        let member = |values: &mut Self, choices: &mut Choices<'_>| {
            let name = choices.one_of(&NAMES);
            (name.to_owned(), values.value(choices, levels))
        };
        (0..choices.below(4)).map(|_| member(self, choices)).collect()
    }

    /// Contexts, with what stands beside them.
    pub fn carrier(&mut self, choices: &mut Choices<'_>, levels: usize) -> Map<String, Value> {
        let mut carrier = self.mapping(choices, levels);
        for _ in 0..choices.below(4) {
            let (name, context) = choices.one_of(&CONTEXTS);
            carrier.insert(name.to_owned(), context.into());
        }
        for name in ["baggage", "tracestate"] {
            if choices.one_in(3) {
                let key = if choices.one_in(2) { "tier=" } else { "" };
                // What would be a key is shown.
                let value = (self.text)(choices).replace([',', '='], "");
                carrier.insert(name.to_owned(), format!("a=1,{key}{value}").into());
            }
        }
        carrier
    }

    /// A value in one of the wrappings in which carriers travel.
    fn wrapped(&mut self, choices: &mut Choices<'_>, levels: usize) -> Value {
        let value = match choices.below(3) {
            0 => self.value(choices, levels),
            _ => self.carrier(choices, levels).into(),
        };
        match choices.below(5) {
            0 => value.to_string().into(),
            1 => json!(value.to_string()).to_string().into(),
            2 => json!({"__type__": "bytes", "__value__": value.to_string()}),
            3 => python(&value).into(),
            _ => match value {
                Value::Object(members) => {
                    members.into_iter().map(|(name, value)| json!([name, value])).collect()
                }
                other => json!([other]),
            },
        }
    }
}

/// The `repr()` of a value in Python.
pub fn python(value: &Value) -> String {
    let joined = |parts: Vec<String>| parts.join(", ");
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(flag) => if *flag { "True" } else { "False" }.to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
        Value::Array(list) => format!("[{}]", joined(list.iter().map(python).collect())),
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| format!("'{name}': {}", python(value));
            format!("{{{}}}", joined(members.iter().map(member).collect()))
        }
    }
}

//! A task as Celery sends it: message protocol 2, or 1 on request.
//! <https://docs.celeryq.dev/en/stable/internals/protocol.html>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::telemetry::uuid;

/// Where a message goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    /// Empty for the default exchange, which takes the routing key for a queue.
    pub exchange: String,
    pub routing_key: String,
}

impl Route {
    pub fn queue(name: &str) -> Self {
        Self { exchange: String::new(), routing_key: name.to_owned() }
    }
}

/// A task that is to be sent, or was taken from a queue.
#[derive(Clone, PartialEq, Debug)]
pub struct TaskMessage {
    pub id: String,
    pub task: String,
    pub args: Vec<Value>,
    pub kwargs: Map<String, Value>,
    pub retries: u32,
    /// When to run it, if not at once.
    pub eta: Option<String>,
    pub root_id: String,
    pub parent_id: Option<String>,
    /// The group and the place in it.
    pub group: Option<(String, u64)>,
    /// The signatures of a chain's further tasks, the next one last.
    pub chain: Vec<Value>,
    /// The signature of a chord's body.
    pub chord: Option<Value>,
    /// The process that published it: `gen<pid>@<host>`.
    pub origin: String,
    pub reply_to: String,
    /// Custom headers, next to Celery's own: what a task sees as `self.request.headers`.
    pub headers: Map<String, Value>,
    /// Further properties.
    pub properties: Map<String, Value>,
    /// Whether it was delivered before.
    pub redelivered: bool,
    pub protocol: u8,
}

/// Celery's own headers; all others are custom.
const OWN: [&str; 20] = [
    "lang",
    "task",
    "id",
    "shadow",
    "eta",
    "expires",
    "group",
    "group_index",
    "retries",
    "timelimit",
    "root_id",
    "parent_id",
    "argsrepr",
    "kwargsrepr",
    "origin",
    "ignore_result",
    "replaced_task_nesting",
    "stamped_headers",
    "stamps",
    "redelivered",
];

impl TaskMessage {
    pub fn new(task: &str, args: Vec<Value>, origin: &str, reply_to: &str) -> Self {
        let id = uuid();
        Self {
            root_id: id.clone(),
            id,
            task: task.to_owned(),
            args,
            kwargs: Map::new(),
            retries: 0,
            eta: None,
            parent_id: None,
            group: None,
            chain: Vec::new(),
            chord: None,
            origin: origin.to_owned(),
            reply_to: reply_to.to_owned(),
            headers: Map::new(),
            properties: Map::new(),
            redelivered: false,
            protocol: 2,
        }
    }

    /// The task that a signature names, published by the task `parent`.
    pub fn of_signature(signature: &Value, parent: &Self) -> Option<Self> {
        let options = &signature["options"];
        let id = options["task_id"].as_str()?;
        Some(Self {
            id: id.to_owned(),
            root_id: parent.root_id.clone(),
            parent_id: Some(parent.id.clone()),
            ..Self::new(
                signature["task"].as_str()?,
                signature["args"].as_array().cloned().unwrap_or_default(),
                &parent.origin,
                options["reply_to"].as_str().unwrap_or(&parent.reply_to),
            )
        })
    }

    /// A signature of it, as it stands in the embed of another task.
    pub fn signature(&self) -> Value {
        json!({
            "task": self.task,
            "args": self.args,
            "kwargs": self.kwargs,
            "options": {"task_id": self.id, "reply_to": self.reply_to},
            "subtask_type": null,
            "immutable": false,
        })
    }

    /// The entry for the queue, and its delivery tag.
    pub fn envelope(&self, route: &Route) -> (Value, String) {
        let tag = uuid();
        let mut properties = self.properties.clone();
        let own = json!({
            "correlation_id": self.id,
            "reply_to": self.reply_to,
            "delivery_mode": 2,
            "delivery_info": {"exchange": route.exchange, "routing_key": route.routing_key},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": tag,
        });
        properties.extend(own.as_object().cloned().unwrap_or_default());
        let (headers, body) = if self.protocol == 1 { self.protocol_1() } else { self.protocol_2() };
        let envelope = json!({
            "body": STANDARD.encode(body.to_string()),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": headers,
            "properties": properties,
        });
        (envelope, tag)
    }

    fn protocol_2(&self) -> (Value, Value) {
        let mut headers = self.headers.clone();
        let own = json!({
            "lang": "py",
            "task": self.task,
            "id": self.id,
            "shadow": null,
            "eta": self.eta,
            "expires": null,
            "group": self.group.as_ref().map(|(id, _)| id),
            "group_index": self.group.as_ref().map(|(_, index)| index),
            "retries": self.retries,
            "timelimit": [null, null],
            "root_id": self.root_id,
            "parent_id": self.parent_id,
            "argsrepr": repr(&Value::Array(self.args.clone())),
            "kwargsrepr": repr(&Value::Object(self.kwargs.clone())),
            "origin": self.origin,
            "ignore_result": false,
            "replaced_task_nesting": 0,
            "stamped_headers": null,
            "stamps": {},
        });
        headers.extend(own.as_object().cloned().unwrap_or_default());
        let chain = (!self.chain.is_empty()).then_some(&self.chain);
        let embed = json!({"callbacks": null, "errbacks": null, "chain": chain, "chord": self.chord});
        (Value::Object(headers), json!([self.args, self.kwargs, embed]))
    }

    fn protocol_1(&self) -> (Value, Value) {
        let body = json!({
            "task": self.task,
            "id": self.id,
            "args": self.args,
            "kwargs": self.kwargs,
            "group": self.group.as_ref().map(|(id, _)| id),
            "group_index": self.group.as_ref().map(|(_, index)| index),
            "retries": self.retries,
            "eta": self.eta,
            "expires": null,
            "utc": true,
            "callbacks": null,
            "errbacks": null,
            "timelimit": [null, null],
            "taskset": null,
            "chord": self.chord,
        });
        (json!({}), body)
    }

    /// Reads an envelope with a JSON body. `None` if it is no task, or is encoded
    /// differently: a worker that only accepts JSON rejects it.
    pub fn read(envelope: &Value) -> Option<Self> {
        let properties = &envelope["properties"];
        let is_json = envelope["content-type"].as_str() == Some("application/json");
        let body = match properties["body_encoding"].as_str() {
            Some("base64") => STANDARD.decode(envelope["body"].as_str()?).ok()?,
            _ => envelope["body"].as_str()?.as_bytes().to_vec(),
        };
        let body: Value = serde_json::from_slice(&body).ok().filter(|_| is_json)?;
        let headers = envelope["headers"].as_object()?;
        let (facts, args, kwargs, embed, protocol) = if body.is_array() {
            (&envelope["headers"], &body[0], &body[1], &body[2], 2)
        } else {
            (&body, &body["args"], &body["kwargs"], &body, 1)
        };
        let text = |name: &str| facts[name].as_str().map(str::to_owned);
        let id = text("id")?;
        Some(Self {
            task: text("task")?,
            args: args.as_array()?.clone(),
            kwargs: kwargs.as_object()?.clone(),
            retries: u32::try_from(facts["retries"].as_u64().unwrap_or(0)).ok()?,
            eta: text("eta"),
            root_id: text("root_id").unwrap_or_else(|| id.clone()),
            parent_id: text("parent_id"),
            group: text("group").map(|group| (group, facts["group_index"].as_u64().unwrap_or(0))),
            chain: embed["chain"].as_array().cloned().unwrap_or_default(),
            chord: Some(embed["chord"].clone()).filter(Value::is_object),
            origin: text("origin").unwrap_or_default(),
            reply_to: properties["reply_to"].as_str().unwrap_or_default().to_owned(),
            headers: headers
                .iter()
                .filter(|(name, _)| !OWN.contains(&name.as_str()))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            properties: Map::new(),
            redelivered: headers.get("redelivered").and_then(Value::as_bool).unwrap_or(false),
            protocol,
            id,
        })
    }

    /// The value of a header, as a propagator's getter sees it: a text.
    pub fn text_headers(&self) -> super::telemetry::Carrier {
        let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
        self.headers.iter().filter_map(text).collect()
    }
}

/// A JSON value as Python's `repr` shows it, which Celery puts into the headers.
pub fn repr(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => repr_text(text),
        Value::Array(values) => {
            format!("[{}]", values.iter().map(repr).collect::<Vec<_>>().join(", "))
        }
        Value::Object(map) => {
            let pairs = map.iter().map(|(key, value)| format!("{}: {}", repr_text(key), repr(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
    }
}

fn repr_text(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut shown = String::from(quote);
    for letter in text.chars() {
        match letter {
            '\\' => shown.push_str("\\\\"),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            letter if letter == quote => shown.extend(['\\', letter]),
            letter if letter.is_control() => shown.extend(letter.escape_default()),
            letter => shown.push(letter),
        }
    }
    shown.push(quote);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_read_as_it_was_written() {
        let mut task =
            TaskMessage::new("process_order", vec![json!("o"), json!({"quantity": 2})], "gen1@demo", "r");
        task.headers.insert("traceparent".to_owned(), json!("00-1"));
        task.chain = vec![json!({"task": "send_receipt"})];
        task.group = Some(("g".to_owned(), 1));
        task.retries = 2;
        for protocol in [2, 1] {
            task.protocol = protocol;
            if protocol == 1 {
                // Protocol 1 has none of these.
                (task.chain, task.origin) = (Vec::new(), String::new());
                task.headers = Map::new();
            }
            let (envelope, tag) = task.envelope(&Route::queue("celery"));
            assert_eq!(envelope["properties"]["delivery_tag"], tag);
            assert_eq!(TaskMessage::read(&envelope), Some(task.clone()), "protocol {protocol}");
        }
    }

    #[test]
    fn what_tracelink_reads_is_what_was_written() {
        let task = TaskMessage::new("process_order", vec![json!("o")], "gen1@demo", "r");
        let (envelope, _) = task.envelope(&Route::queue("celery"));
        let bytes = envelope.to_string().into_bytes();
        assert!(crate::wire::celery::Envelope::decode(&bytes).is_ok());
    }

    #[test]
    fn what_is_no_task_is_passed_over() {
        for envelope in [json!(1), json!({}), json!({"body": "!", "headers": {}, "properties": {}})] {
            assert_eq!(TaskMessage::read(&envelope), None, "{envelope}");
        }
    }

    #[test]
    fn values_are_shown_as_python_does() {
        let value = json!(["it's", "a\n", {"a": null, "b": true}, 1.5]);
        assert_eq!(repr(&value), r#"["it's", 'a\n', {'a': None, 'b': True}, 1.5]"#);
    }
}

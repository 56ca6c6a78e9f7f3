//! A message, as Celery publishes it, and what a test changes of it.

use serde_json::{Map, Value, json};

pub struct MessageBuilder {
    /// Pointers to what it lacks.
    lacking: Vec<&'static str>,
    headers: Map<String, Value>,
    properties: Map<String, Value>,
    kwargs: Value,
    chain: Value,
    protocol_1: bool,
}

/// A message of protocol 2, as Celery 5.7 publishes the task `work`.
pub fn message(id: &str) -> MessageBuilder {
    let headers = json!({
        "lang": "py", "task": "work", "id": id, "root_id": id, "parent_id": null, "retries": 0, "eta": null, "expires": null,
        "argsrepr": "[]", "kwargsrepr": "{}", "origin": "gen7@web-1",
    });
    MessageBuilder {
        lacking: Vec::new(),
        headers: headers.as_object().expect("an object").clone(),
        properties: Map::new(),
        kwargs: json!({}),
        chain: Value::Null,
        protocol_1: false,
    }
}

impl MessageBuilder {
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.headers.insert(name.to_owned(), value.into());
        self
    }

    pub fn property(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.properties.insert(name.to_owned(), value.into());
        self
    }

    pub fn kwargs(mut self, kwargs: Value) -> Self {
        self.kwargs = kwargs;
        self
    }

    pub fn chain(mut self, next: Value) -> Self {
        self.chain = json!([next]);
        self
    }

    /// Another attempt, as Celery publishes it: due later, by itself.
    pub fn retry(self, retries: u32) -> Self {
        let id = self.headers["id"].clone();
        self.header("retries", retries).header("parent_id", id).header("eta", "2026-11-22T21:00:00+00:00")
    }

    pub fn protocol_1(mut self) -> Self {
        self.protocol_1 = true;
        self
    }

    /// Without the member at this JSON pointer, such as `/properties/delivery_tag`.
    pub fn without(mut self, pointer: &'static str) -> Self {
        self.lacking.push(pointer);
        self
    }

    pub(super) fn build(self) -> Value {
        let (headers, body) = if self.protocol_1 {
            let body = json!({"task": self.headers["task"], "id": self.headers["id"], "args": [], "kwargs": self.kwargs, "retries": 0});
            let celerys = [
                "lang",
                "task",
                "id",
                "root_id",
                "parent_id",
                "retries",
                "eta",
                "expires",
                "argsrepr",
                "kwargsrepr",
                "origin",
            ];
            let custom = self.headers.into_iter().filter(|(name, _)| !celerys.contains(&name.as_str()));
            (Value::Object(custom.collect()), body)
        } else {
            (Value::Object(self.headers), json!([[], self.kwargs, {"chain": self.chain}]))
        };
        let mut properties = self.properties;
        properties.insert("delivery_info".to_owned(), json!({"exchange": "", "routing_key": "celery"}));
        properties.insert("delivery_tag".to_owned(), "d1".into());
        let mut message = json!({"body": body.to_string(), "content-type": "application/json", "content-encoding": "utf-8", "headers": headers, "properties": properties});
        for pointer in self.lacking {
            let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
            let parent = message.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object");
            parent.remove(key).expect("a member");
        }
        message
    }
}

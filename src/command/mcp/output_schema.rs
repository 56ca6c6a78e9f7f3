//! What answers look like: the published schema of reports, without the lists that an answer
//! never has.

use std::collections::BTreeSet;

use rmcp::model::JsonObject;
use serde_json::{Map, Value, json};

use super::name::Name;

/// The schema of reports, as it is published.
const PUBLISHED: &str = include_str!("../../../docs/tracelink-1.schema.json");

/// The fields of a report that an answer has.
pub const OF_A_REPORT: [&str; 11] = [
    "schema", "tool", "live", "inputs", "verdict", "findings", "queues", "limits", "ignored", "expired",
    "baseline",
];

/// The schema of a tool's `structuredContent`.
pub fn of(tool: Name) -> JsonObject {
    match tool {
        Name::Diagnose | Name::InspectQueue => report(None),
        Name::ListenStatus | Name::ListenStop => report(Some(session())),
        Name::Explain => explanation(),
        Name::ListenStart => object(session()),
    }
}

fn report(session: Option<Value>) -> JsonObject {
    let mut published = published();
    let mut properties = Map::new();
    let mut required = vec!["exit_code", "left_out", "notes"];
    for field in OF_A_REPORT {
        if let Some(schema) = published["$defs"]["report"]["properties"].get_mut(field) {
            properties.insert(field.to_owned(), schema.take());
        }
        if published["$defs"]["report"]["required"]
            .as_array()
            .is_some_and(|names| names.contains(&field.into()))
        {
            required.push(field);
        }
    }
    properties.insert("exit_code".to_owned(), json!({"type": "integer"}));
    properties.insert("notes".to_owned(), json!({"type": "array", "items": {"type": "string"}}));
    // How many findings and other entries an answer had no room for.
    let counts = json!({"type": "object", "additionalProperties": {"type": "integer", "minimum": 1}});
    properties.insert("left_out".to_owned(), counts);
    if let Some(session) = session {
        properties.insert("session".to_owned(), session);
        required.push("session");
    }
    let schema = json!({"type": "object", "properties": properties, "required": required});
    with_definitions(object(schema), &published)
}

/// What is said of a session of `listen`.
fn session() -> Value {
    let address = || json!({"type": ["string", "null"]});
    json!({
        "type": "object",
        "properties": {
            "state": {"enum": ["listening", "ended"]},
            "seconds": {"type": "number", "minimum": 0},
            "grpc": address(),
            "http": address(),
            "environment": {"type": "object", "additionalProperties": {"type": "string"}},
            "notes": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["state", "seconds", "grpc", "http", "environment"],
    })
}

fn explanation() -> JsonObject {
    let text = || json!({"type": "string"});
    let diagnosis = json!({
        "type": "object",
        "properties": {
            "code": text(),
            "slug": text(),
            "station": {"type": ["string", "null"]},
            "severity": {"enum": ["error", "warning", "note"]},
            "summary": text(),
            "doc": text(),
            "fixes": {"type": "array", "items": {"$ref": "#/$defs/fix"}},
        },
        "required": ["code", "slug", "station", "severity", "summary"],
    });
    let schema = json!({
        "type": "object",
        "properties": {
            "schema": {"const": "tracelink-explain/1"},
            "diagnoses": {"type": "array", "items": diagnosis},
        },
        "required": ["schema", "diagnoses"],
    });
    with_definitions(object(schema), &published())
}

/// The published schema, in which a finding has its fixes once.
fn published() -> Value {
    let mut published: Value = serde_json::from_str(PUBLISHED).expect("a test reads it too");
    let finding = &mut published["$defs"]["finding"];
    if let Some(properties) = finding["properties"].as_object_mut() {
        properties.remove("fix");
    }
    if let Some(required) = finding["required"].as_array_mut() {
        required.retain(|name| name != "fix");
    }
    // A client lists six tools: what the words mean is in the docs.
    undescribed(&mut published);
    published
}

fn undescribed(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.retain(|name, value| name != "description" || !value.is_string());
            fields.values_mut().for_each(undescribed);
        }
        Value::Array(values) => values.iter_mut().for_each(undescribed),
        _ => {}
    }
}

/// The schema, with those definitions that it refers to.
fn with_definitions(mut schema: JsonObject, published: &Value) -> JsonObject {
    let mut wanted = BTreeSet::new();
    schema.values().for_each(|part| referred(part, &mut wanted));
    let mut definitions = Map::new();
    while let Some(name) = wanted.iter().find(|name| !definitions.contains_key(*name)).cloned() {
        let definition = published["$defs"][&name].clone();
        referred(&definition, &mut wanted);
        definitions.insert(name, definition);
    }
    schema.insert("$defs".to_owned(), definitions.into());
    schema
}

fn referred(schema: &Value, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            let name =
                fields.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix("#/$defs/"));
            names.extend(name.map(str::to_owned));
            fields.values().for_each(|part| referred(part, names));
        }
        Value::Array(values) => values.iter().for_each(|part| referred(part, names)),
        _ => {}
    }
}

fn object(schema: Value) -> JsonObject {
    match schema {
        Value::Object(schema) => schema,
        _ => unreachable!("each schema here is written as an object"),
    }
}

//! An input of each kind, with the marker of each of its fields.

use serde_json::{Value, json};

use super::fields::Marks;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// What a Redis holds, a line of a snapshot for each key.
pub fn keys(marks: &Marks) -> Vec<Value> {
    let message = |name: &str| marks.of("message", name);
    let one = |name: &str| marks.of("message, protocol 1", name);
    let held = |name: &str| marks.of("`unacked`", name);
    let key = |key: &str, kind: &str, entries: Value| json!({"db": 0, "key": key, "type": kind, "pttl": -1, "entries": entries});
    let id = message("headers.id");
    let entry = envelope(marks, &id, true);
    let exchange = message("properties.delivery_info.exchange");
    let routing_key = message("properties.delivery_info.routing_key");
    let binding = format!("{routing_key}\u{6}\u{16}\u{6}\u{16}celery");
    let protocol_1 = json!({
        "body": json!({
            "task": one("body: task"), "id": one("body: id"), "args": [one("body: args")], "kwargs": {}, "retries": 0,
            "secret": one("body: another field"),
        }).to_string(),
        "content-type": "application/json", "content-encoding": "utf-8", "headers": {},
        "properties": {"delivery_info": {"exchange": "celery", "routing_key": "celery"}, "delivery_tag": "1", "body_encoding": "utf-8"},
    });
    let in_hand = json!([
        envelope(marks, "held-by-a-worker", false), held("second part"), held("third part"), {"more": held("fourth part")},
    ]);
    let tag = held("name of the field, a delivery tag");
    let result = |name: &str| marks.of("result", name);
    let failure = json!({
        "status": "FAILURE", "task_id": id, "name": result("name"), "worker": result("worker"), "retries": 0,
        "traceback": format!("Traceback (most recent call last):\n  File \"/srv/{}.py\", line 1\n", result("traceback")),
        "result": {
            "exc_type": result("result.exc_type"), "exc_message": [result("result.exc_message")],
            "exc_module": result("result.exc_module"),
        },
        "args": [result("args")], "children": [[result("children")]],
    });
    let returned = json!({"status": "SUCCESS", "result": {"card": result("result, as returned")}});
    let custom =
        json!({"status": result("status of the application's own"), "result": result("result, as returned")});
    vec![
        key(&format!("_kombu.binding.{exchange}"), "set", json!([binding])),
        key("_kombu.binding.celery", "set", json!(["celery\u{6}\u{16}\u{6}\u{16}celery"])),
        key("celery", "list", json!([entry.to_string(), protocol_1.to_string()])),
        key("unacked", "hash", json!({tag: in_hand.to_string()})),
        key(&format!("celery-task-meta-{id}"), "string", json!(failure.to_string())),
        key(&format!("celery-task-meta-{}", one("body: id")), "string", json!(returned.to_string())),
        key("celery-task-meta-held-by-a-worker", "string", json!(custom.to_string())),
    ]
}

/// A message of protocol 2; the one has a context that is none, the other one that
/// can be read.
fn envelope(marks: &Marks, id: &str, is_malformed: bool) -> Value {
    let message = |name: &str| marks.of("message", name);
    let chain = |name: &str| marks.of("next task of a chain, in the body", name);
    let next = json!({
        "task": chain("task"), "args": [chain("args")],
        "options": {"headers": {"tenant": chain("value of a header")}},
    });
    let body = json!([
        [message("body: args")], {"card": message("body: kwargs")},
        {"callbacks": null, "errbacks": null, "chain": [next], "chord": null},
    ]);
    let traceparent =
        if is_malformed { message("headers.traceparent, malformed") } else { PARENT.to_owned() };
    let mut headers = json!({
        "lang": "py", "task": message("headers.task"), "id": id, "root_id": message("headers.root_id"),
        "parent_id": message("headers.parent_id"), "group": message("headers.group"),
        "origin": message("headers.origin"), "eta": message("headers.eta"), "expires": message("headers.expires"),
        "argsrepr": format!("('{}',)", message("headers.argsrepr")),
        "kwargsrepr": format!("{{'card': '{}'}}", message("headers.kwargsrepr")),
        "timelimit": [message("headers.timelimit"), null], "group_index": {"n": message("headers.group_index")},
        "ignore_result": message("headers.ignore_result"), "shadow": message("headers.shadow"),
        "stamps": {"who": message("headers.stamps")}, "stamped_headers": [message("headers.stamped_headers")],
        "replaced_task_nesting": message("headers.replaced_task_nesting"), "retries": 0,
        "traceparent": traceparent,
        "tracestate": format!("{}={}", message("headers.tracestate: key"), message("headers.tracestate: value")),
        "baggage": format!(
            "{}={},{}", message("headers.baggage: key"), message("headers.baggage: value"),
            message("headers.baggage: a piece without =")
        ),
        "x-datadog-tags": format!("_dd.p.tid=4bf92f3577b34da6,_dd.p.usr={}", message("headers.x-datadog-tags: another tag")),
        "Authorization": format!("Bearer {}", message("headers.authorization")),
    });
    headers[message("headers: name of another")] = json!({"who": message("headers: value of another")});
    let mut properties = json!({
        "correlation_id": message("properties.correlation_id"), "delivery_tag": message("properties.delivery_tag"),
        "reply_to": message("properties.reply_to"), "app_id": message("properties.app_id"),
        "user_id": message("properties.user_id"), "message_id": message("properties.message_id"),
        "type": message("properties.type"), "expiration": message("properties.expiration"),
        "delivery_info": {
            "exchange": message("properties.delivery_info.exchange"),
            "routing_key": message("properties.delivery_info.routing_key"),
            "client": message("properties.delivery_info: another"),
        },
        "body_encoding": "utf-8", "delivery_mode": 2, "priority": 0,
    });
    properties[message("properties: name of another")] = message("properties: value of another").into();
    json!({
        "body": body.to_string(), "content-type": "application/json", "content-encoding": "utf-8",
        "headers": headers, "properties": properties, "secret": message("an unknown top-level field"),
    })
}

/// A request of spans.
pub fn spans(marks: &Marks) -> String {
    let resource = |name: &str| marks.of("resource", name);
    let span = |name: &str| marks.of("span", name);
    let event = |name: &str| marks.of("event of a span", name);
    let link = |name: &str| marks.of("link of a span", name);
    let pair = |key: &str, value: String| json!({"key": key, "value": {"stringValue": value}});
    let of_resource = [
        pair("service.name", resource("service.name")),
        pair("service.instance.id", resource("service.instance.id")),
        pair("host.name", resource("host.name")),
        pair("telemetry.sdk.version", resource("telemetry.sdk.version")),
        pair("telemetry.auto.version", resource("telemetry.auto.version")),
        pair(&resource("name of another attribute"), resource("value of another attribute")),
    ];
    let attributes = [
        pair("celery.action", "run".to_owned()),
        pair("celery.task_name", span("celery.task_name")),
        pair("messaging.message.id", span("messaging.message.id")),
        pair("messaging.destination.name", span("messaging.destination.name")),
        pair("celery.exchange", span("celery.exchange")),
        pair("celery.hostname", span("celery.hostname")),
        pair(
            "celery.delivery_info",
            format!("{{'redelivered': True, 'who': '{}'}}", span("celery.delivery_info")),
        ),
        pair("server.address", span("server.address")),
        pair("db.system", span("db.system")),
        pair("db.operation", span("db.operation")),
        pair("db.statement", span("db.statement")),
        pair("http.url", format!("http://{}", span("http.url"))),
        pair("http.request.header.authorization", span("http.request.header.authorization")),
        pair(&span("name of another attribute"), span("value of another attribute")),
    ];
    let raised = [
        pair("exception.type", format!("shop.{}", event("exception.type"))),
        pair("exception.message", event("exception.message")),
        pair("exception.stacktrace", event("exception.stacktrace")),
    ];
    let name = format!(
        "{} http://{}@host/a?token={}",
        span("name"),
        span("name: user and password of a URL"),
        span("name: query of a URL")
    );
    let span = json!({
        "traceId": "5bf92f3577b34da6a3ce929d0e0e4736", "spanId": "00f067aa0ba902b8", "name": name, "kind": 5,
        "traceState": format!("{}={}", span("traceState: key"), span("traceState: value")),
        "startTimeUnixNano": "1795376994000000000", "endTimeUnixNano": "1795376995000000000",
        "attributes": attributes, "status": {"code": 2, "message": span("status message")},
        "events": [
            {"name": "exception", "attributes": raised},
            {"name": event("name of another"), "attributes": [pair("a", event("value of an attribute of another"))]},
        ],
        "links": [{
            "traceId": "6bf92f3577b34da6a3ce929d0e0e4736", "spanId": "00f067aa0ba902b9",
            "traceState": format!("a={}", link("traceState")), "attributes": [pair("a", link("value of an attribute"))],
        }],
    });
    let scope = json!({
        "name": marks.of("span", "scope: name"), "attributes": [pair("a", marks.of("span", "scope: value of an attribute"))],
    });
    json!({"resourceSpans": [{"resource": {"attributes": of_resource}, "scopeSpans": [{"scope": scope, "spans": [span]}]}]})
        .to_string()
}

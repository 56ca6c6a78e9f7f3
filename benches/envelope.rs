//! What one message of a queue costs: the envelope alone, the short reading that is
//! enough for a healthy message, and the whole reading.
//!
//! A queue of a million messages is read in the time of a million of these.

use std::sync::Arc;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use tracelink::model::MessageState;
use tracelink::wire::celery::{Envelope, QueuePosition, ReadOptions, read_message};

fn main() {
    divan::main();
}

/// The custom headers of a message, by how its producer hands the context over.
const SHAPES: [&str; 4] = ["instrumentor", "json-text", "no-context", "b3multi"];

/// A message of about 1.2 KB, as Celery 5.7 writes it.
fn message(shape: &str) -> String {
    let custom = match shape {
        "instrumentor" => r#", "traceparent": "00-7e092b798b3ca4c737832e51c2fd8ee0-28f1cd67bff3f230-03""#,
        "json-text" => {
            r#", "trace_context": "{\"traceparent\": \"00-616a7e39da4f279627a192c6aab3de01-e6312c6209150074-03\"}""#
        }
        "b3multi" => {
            r#", "x-b3-traceid": "d2f658b6b93db96aa284d3859c12bda2", "x-b3-spanid": "e6312c6209150074", "x-b3-sampled": "1""#
        }
        _ => "",
    };
    format!(
        r#"{{"body": "W1sib3JkZXJfdTEyM19wNDU2IiwgeyJ1c2VyX2lkIjogInUxMjMiLCAicHJvZHVjdF9pZCI6ICJwNDU2IiwgInF1YW50aXR5IjogMn1dLCB7fSwgeyJjYWxsYmFja3MiOiBudWxsLCAiZXJyYmFja3MiOiBudWxsLCAiY2hhaW4iOiBudWxsLCAiY2hvcmQiOiBudWxsfV0=", "content-encoding": "utf-8", "content-type": "application/json", "headers": {{"lang": "py", "task": "process_order", "id": "d580ee63-5e29-49b3-aef9-d4937b4c5aea", "shadow": null, "eta": null, "expires": null, "group": null, "group_index": null, "retries": 0, "timelimit": [null, null], "root_id": "d580ee63-5e29-49b3-aef9-d4937b4c5aea", "parent_id": null, "argsrepr": "['order_u123_p456', {{'user_id': 'u123', 'product_id': 'p456', 'quantity': 2}}]", "kwargsrepr": "{{}}", "origin": "gen20212@web-1", "ignore_result": false, "replaced_task_nesting": 0, "stamped_headers": null, "stamps": {{}}{custom}}}, "properties": {{"correlation_id": "d580ee63-5e29-49b3-aef9-d4937b4c5aea", "reply_to": "7eda4d7f-1c60-3257-b9c7-aa5e23a1e9ce", "delivery_mode": 2, "delivery_info": {{"exchange": "", "routing_key": "celery"}}, "priority": 0, "body_encoding": "base64", "delivery_tag": "b61d03e0-43fb-45d3-b893-0e776bb4b18a"}}}}"#
    )
}

#[divan::bench(sample_size = 1000)]
fn decode(bencher: Bencher<'_, '_>) {
    let entry = message("instrumentor");
    // Looked at and dropped here: handing it out would cost as much as a tenth of it.
    bencher
        .counter(BytesCount::of_str(&entry))
        .bench(|| black_box(&Envelope::decode(black_box(entry.as_bytes()))).is_ok());
}

#[divan::bench(sample_size = 1000)]
fn plain_context(bencher: Bencher<'_, '_>) {
    let entry = message("instrumentor");
    let envelope = Envelope::decode(entry.as_bytes()).expect("an envelope");
    assert!(envelope.plain_context().is_some());
    bencher.bench(|| black_box(&envelope).plain_context());
}

#[divan::bench(args = SHAPES, sample_size = 1000)]
fn whole(bencher: Bencher<'_, '_>, shape: &str) {
    let entry = message(shape);
    let position = QueuePosition {
        queue: Arc::from("celery"),
        state: MessageState::Ready,
        list: None,
        index: Some(0),
        priority: 0,
    };
    let name: Arc<str> = Arc::from("process_order");
    bencher.counter(BytesCount::of_str(&entry)).bench(|| {
        let envelope = Envelope::decode(black_box(entry.as_bytes())).expect("an envelope");
        read_message(&envelope, &position, ReadOptions::default(), &mut |_| Arc::clone(&name))
    });
}

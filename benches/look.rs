//! What a look at a watched broker costs the evidence, where 10,000 messages
//! wait in ten queues: the first time, and again and again.
//!
//! `cargo bench --bench look -- [LOOKS]`

#![allow(clippy::disallowed_methods, reason = "a benchmark looks at the clock")]

use std::borrow::Cow;
use std::time::{Duration, Instant};

use tracelink::bundle::EvidenceOptions;
use tracelink::evidence::Evidence;
use tracelink::live::BrokerLooks;
use tracelink::model::Timestamp;
use tracelink::wire::snapshot::{KeyContent, KeyLine};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const QUEUES: usize = 10;
/// As many as a look reads of each list.
const MESSAGES: usize = 1000;

/// A message of about 1.2 KB, as Celery 5.7 writes it.
fn message(number: usize) -> Vec<u8> {
    let id = format!("{number:08x}-5e29-49b3-aef9-d4937b4c5aea");
    let trace = format!("{:032x}", number + 1);
    format!(
        r#"{{"body": "W1sib3JkZXJfdTEyM19wNDU2IiwgeyJ1c2VyX2lkIjogInUxMjMiLCAicHJvZHVjdF9pZCI6ICJwNDU2IiwgInF1YW50aXR5IjogMn1dLCB7fSwgeyJjYWxsYmFja3MiOiBudWxsLCAiZXJyYmFja3MiOiBudWxsLCAiY2hhaW4iOiBudWxsLCAiY2hvcmQiOiBudWxsfV0=", "content-encoding": "utf-8", "content-type": "application/json", "headers": {{"lang": "py", "task": "process_order", "id": "{id}", "shadow": null, "eta": null, "expires": null, "group": null, "group_index": null, "retries": 0, "timelimit": [null, null], "root_id": "{id}", "parent_id": null, "argsrepr": "['order_u123_p456', {{'user_id': 'u123', 'product_id': 'p456', 'quantity': 2}}]", "kwargsrepr": "{{}}", "origin": "gen20212@web-1", "ignore_result": false, "replaced_task_nesting": 0, "stamped_headers": null, "stamps": {{}}, "traceparent": "00-{trace}-28f1cd67bff3f230-03"}}, "properties": {{"correlation_id": "{id}", "reply_to": "7eda4d7f-1c60-3257-b9c7-aa5e23a1e9ce", "delivery_mode": 2, "delivery_info": {{"exchange": "", "routing_key": "celery"}}, "priority": 0, "body_encoding": "base64", "delivery_tag": "b61d03e0-43fb-45d3-b893-0e776bb4b18a"}}}}"#
    )
    .into_bytes()
}

fn main() {
    // `cargo test --benches` only asks whether it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let looks: u32 = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(40);
    let lines: Vec<KeyLine<'static>> = (0..QUEUES)
        .map(|queue| {
            let entries = (0..MESSAGES).map(|number| Cow::Owned(message(queue * MESSAGES + number)));
            KeyLine {
                db: 0,
                key: Cow::Owned(format!("queue{queue}").into_bytes()),
                pttl: -1,
                content: KeyContent::List(entries.collect()),
                len: None,
                from: 0,
                complete: true,
            }
        })
        .collect();
    let (mut evidence, mut live) =
        (Evidence::default(), BrokerLooks::new("here", EvidenceOptions::default(), 8 << 20));
    let start = Timestamp::from_nanos(1_795_376_994_000_000_000);
    let mut look = |number: u32| {
        let at = start.after(Duration::from_millis(250) * number);
        let began = Instant::now();
        live.look(&mut evidence, at, Some(at), 0, &lines);
        began.elapsed()
    };
    let first = look(0);
    let again: Duration = (1..=looks).map(&mut look).sum();
    println!(
        "{} messages: {:.2} ms the first look, {:.2} ms each of the next {looks}",
        QUEUES * MESSAGES,
        first.as_secs_f64() * 1e3,
        again.as_secs_f64() * 1e3 / f64::from(looks)
    );
}

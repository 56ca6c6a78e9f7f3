//! Messages as Celery publishes them with the instrumentor, of 1.2 KB each.

/// The message of this number, as it lies in a list of Redis.
pub fn message(number: u64) -> String {
    let id = format!("{number:08x}-1c2d-4e3f-8a4b-5c6d7e8f9a0b");
    let task =
        ["shop.tasks.process_order", "shop.tasks.send_mail", "shop.tasks.sync_stock", "billing.charge"]
            [usize::try_from(number % 4).expect("small")];
    let note = "W1sib3JkZXJfdTEyM19wNDU2IiwgeyJ1c2VyX2lkIjogInUxMjMiLCAicHJvZHVjdF9pZCI6ICJwNDU2IiwgInF1YW50aXR5IjogMn1dLCB7fSwgeyJjYWxsYmFja3MiOiBudWxsLCAiZXJyYmFja3MiOiBudWxsLCAiY2hhaW4iOiBudWxsLCAiY2hvcmQiOiBudWxsfV0=";
    format!(
        r#"{{"body": "{note}", "content-encoding": "utf-8", "content-type": "application/json", "headers": {{"lang": "py", "task": "{task}", "id": "{id}", "shadow": null, "eta": null, "expires": null, "group": null, "group_index": null, "retries": 0, "timelimit": [null, null], "root_id": "{id}", "parent_id": null, "argsrepr": "['order_{number}', {{'user_id': 'u{number}', 'product_id': 'p456', 'quantity': 2}}]", "kwargsrepr": "{{}}", "origin": "gen{}@web-{}", "ignore_result": false, "replaced_task_nesting": 0, "stamped_headers": null, "stamps": {{}}, "traceparent": "00-{:032x}-{:016x}-03"}}, "properties": {{"correlation_id": "{id}", "reply_to": "7eda4d7f-1c60-3257-b9c7-aa5e23a1e9ce", "delivery_mode": 2, "delivery_info": {{"exchange": "", "routing_key": "celery"}}, "priority": 0, "body_encoding": "base64", "delivery_tag": "{id}"}}}}"#,
        600 + number % 8,
        number % 8,
        u128::from(number + 1) << 64 | 7,
        number + 1
    )
}

//! Celery itself: its settings, its workers and queues, its tasks.

use super::plain;
use crate::diagnosis::known::Setting;
use crate::model::{Fix, FixPlace, Language, Side};

/// Mends TL105: in the settings of the process that publishes.
pub fn protocol_2(producer: &Setting) -> Vec<Fix> {
    let fix = Fix::new("publish with message protocol 2");
    vec![match producer.language.code() {
        Some(Language::Python) => {
            fix.python(Side::Producer, FixPlace::CelerySettings, ["app.conf.task_protocol = 2"])
        }
        _ => fix.by_hand(
            Side::Producer,
            "let its client of Celery write messages of protocol 2, and the context into their headers",
        ),
    }]
}

/// Mends TL701: in a shell.
pub const START_A_WORKER: [&str; 1] =
    ["celery -A <app> worker --loglevel=info    # with the same broker URL and database number"];

/// Mends TL702: in a shell.
pub fn consume_from(queue: &str) -> [String; 1] {
    let queue = plain(queue, b"-_.:", "<queue>");
    [format!("celery -A <app> worker -Q celery,{queue}   # beside the queues that it takes now")]
}

/// Mends TL703: in the settings of both sides.
pub const BIND_A_QUEUE: [&str; 1] = [
    "app.conf.task_queues = [Queue(\"<queue>\", Exchange(\"<exchange>\", type=\"topic\"), routing_key=\"<key>\")]",
];

/// Mends TL704: where the worker makes its application.
pub const IMPORT_THE_TASK: [&str; 1] =
    ["Celery(…, include=[\"<module of the task>\"])   # so that the worker imports it"];

/// Mends TL705: in a shell on the worker's machine.
pub const LESS_MEMORY: [&str; 2] = [
    "journalctl -k | grep -i 'out of memory'  # the usual killer",
    "celery -A <app> worker --max-memory-per-child=200000   # kilobytes",
];

/// Shows more of TL706: in a shell.
pub const LIST_WHAT_IS_REVOKED: [&str; 1] = ["celery -A <app> inspect revoked"];

/// Mends TL707: where the API publishes.
pub const EXPIRE_LATER: [&str; 1] = ["task.apply_async(args, expires=…)        # later, or more workers"];

/// Mends TL708: in the settings of both sides.
pub const LONGER_VISIBILITY: [&str; 1] = [
    "app.conf.broker_transport_options = {\"visibility_timeout\": 4 * 3600}   # seconds; longer than the longest task or ETA",
];

/// Mends TL709: in the worker's settings.
pub const FETCH_LESS_AHEAD: [&str; 1] = ["app.conf.worker_prefetch_multiplier = 1"];

/// Mends TL710 in the task's own code, where the instrumentor makes the span.
pub const LET_RETRY_PASS: [&str; 1] =
    ["except celery.exceptions.Retry: raise    # before the `except` that marks the current span"];

/// Mends TL710 where the span is made by hand.
pub const RETRY_IS_NO_ERROR: [&str; 1] =
    ["tracer.start_as_current_span(name, set_status_on_exception=False, record_exception=False)"];

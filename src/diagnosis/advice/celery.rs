//! Celery itself: its settings, its workers and queues, its tasks.

use std::collections::BTreeSet;
use std::time::Duration;

use super::plain_name::plain_name;
use crate::diagnosis::known::SdkSetup;
use crate::model::{Fix, FixPlace, Language, Side, SpanKind};

/// Mends TL105: in the settings of the process that publishes.
pub fn protocol_2(producer: &SdkSetup) -> Vec<Fix> {
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

/// Mends TL701: nobody but the user knows how the worker is started.
pub fn start_a_worker(queue: &str, broker: &str) -> [Fix; 1] {
    let of_broker = plain_name(broker, b"-_.:/[]", "");
    let broker =
        if of_broker.is_empty() { "the broker".to_owned() } else { format!("the broker at {of_broker}") };
    let what = format!(
        "start one with `celery -A`, the module of its application, and `worker`; it has to take from the queue {} of {broker}, by the same address and database number as whoever publishes",
        plain_name(queue, b"-_.:", "of these messages"),
    );
    [Fix::new("start a worker").by_hand(Side::Worker, what)]
}

/// Mends TL702: `taken` are the queues that workers were seen to take from.
pub fn consume_from(queue: &str, taken: &BTreeSet<&str>) -> Vec<Fix> {
    let named = plain_name(queue, b"-_.:", "");
    let by_hand = Fix::new("publish to a queue that a worker takes from").by_hand(
        Side::Producer,
        "look for `queue=` at the call that publishes, and for `task_routes` and `task_default_queue`",
    );
    if named.is_empty() {
        return vec![by_hand];
    }
    let mut queues: Vec<_> = taken.iter().map(|queue| plain_name(queue, b"-_.:", "")).collect();
    queues.retain(|queue| !queue.is_empty());
    if queues.is_empty() {
        queues.push("celery");
    }
    queues.retain(|queue| *queue != named);
    queues.push(named);
    let consume = Fix::new("let a worker take from this queue too")
        .worker_options(format!("-Q {}", queues.join(",")))
        .needing("every queue that this worker takes from stands in this list");
    vec![consume, by_hand]
}

/// Mends TL703: binds a queue to the exchange, by the key that the message had.
/// `exchange` is `None` where nothing says which one it was.
pub fn bind_a_queue(exchange: Option<&str>, key: &str) -> Vec<Fix> {
    let key = plain_name(key, b"-_.:", "");
    let exchange = exchange.map(|exchange| plain_name(exchange, b"-_.:", "")).unwrap_or_default();
    let by_hand = Fix::new("publish to a queue that a worker takes from").by_hand(
        Side::Producer,
        "look for `exchange=`, `routing_key=` and `queue=` at the call that publishes, and for `task_routes`",
    );
    if key.is_empty() || exchange.is_empty() {
        return vec![by_hand];
    }
    let bind = Fix::new("bind a queue to the exchange of the message")
        .python(
            Side::Worker,
            FixPlace::CelerySettings,
            [
                "from kombu import Exchange, Queue".to_owned(),
                "app.conf.task_queues = [".to_owned(),
                "    *(app.conf.task_queues or [Queue(app.conf.task_default_queue)]),".to_owned(),
                "    Queue(".to_owned(),
                format!("        \"{key}\","),
                format!("        Exchange(\"{exchange}\"),"),
                format!("        routing_key=\"{key}\","),
                "    ),".to_owned(),
                "]".to_owned(),
            ],
        )
        .needing("the worker starts before the task is published: it declares its queues when it starts")
        .needing("where the worker is started with `-Q`, that names this queue too");
    vec![bind, by_hand]
}

/// Mends TL704: which module defines the task only the user knows, unless Celery
/// named the task after it.
pub fn import_the_task(task: &str) -> Vec<Fix> {
    let task = plain_name(task, b"-_.", "this task");
    let by_hand = Fix::new("let the worker know the task by this name").by_hand(
        Side::Worker,
        format!(
            "import the module that defines {task} in the module that `celery -A` names; or, where the worker knows it by another name (`celery inspect registered` lists them), publish it by that one"
        ),
    );
    let Some((module, _)) = task.rsplit_once('.') else { return vec![by_hand] };
    let import = Fix::new("let the worker import the task's module")
        .python(
            Side::Worker,
            FixPlace::CelerySettings,
            [format!("app.conf.imports = [*app.conf.imports, \"{module}\"]")],
        )
        .needing(format!("{module} is the module that defines the task, after which Celery names it"));
    vec![by_hand, import]
}

/// Mends TL705.
pub fn keep_it_alive() -> Vec<Fix> {
    vec![
        Fix::new("find out who ended the process").by_hand(
            Side::Worker,
            "look for `Out of memory` in the log of its kernel (`journalctl -k`), which is the usual killer, and give the worker more memory; else for a deploy at that time, or a crash in native code",
        ),
        Fix::new("end a child before it has grown too large")
            .worker_options("--max-memory-per-child=200000")
            .needing("memory grows from task to task; the number is in kilobytes"),
    ]
}

/// Mends TL705 where the hard time limit ended the process.
pub fn end_before_the_limit() -> [Fix; 1] {
    [Fix::new("let the task end by itself at a soft time limit").by_hand(
        Side::Worker,
        "set `task_soft_time_limit` some seconds below `task_time_limit` (`--soft-time-limit` below `--time-limit`): SoftTimeLimitExceeded is raised in the task then, which ends with its spans",
    )]
}

/// Shows more of TL706, of which nothing is broken.
pub fn list_what_is_revoked() -> [Fix; 1] {
    [Fix::new("see what else is revoked").by_hand(
        Side::Worker,
        "nothing is broken; `celery -A`, the module of its application, and `inspect revoked` lists what is revoked",
    )]
}

/// Mends TL707, where the task should have run.
pub fn expire_later() -> [Fix; 1] {
    [Fix::new("give the task more time").by_hand(
        Side::Producer,
        "publish it with a later `expires`, or start more workers: nothing is broken, unless it should have run",
    )]
}

/// Mends TL708: `held` is how long the message was in the hands of the first run,
/// as far as it was seen.
pub fn longer_visibility(held: Duration) -> [Fix; 1] {
    /// Longer than Celery's own, which is an hour.
    const LEAST: u64 = 4;
    let hours = (held.as_secs() * 2).div_ceil(3600).max(LEAST);
    [Fix::new("give a run more time before its message is delivered again")
        .python(
            Side::Both,
            FixPlace::CelerySettings,
            [
                "app.conf.broker_transport_options = {".to_owned(),
                "    **app.conf.broker_transport_options,".to_owned(),
                format!("    \"visibility_timeout\": {},", hours * 3600),
                "}".to_owned(),
            ],
        )
        .needing(format!("no task runs for more than {hours} hours, and none is published with a later `eta` or `countdown`"))]
}

/// Mends TL709.
pub fn fetch_less_ahead() -> [Fix; 1] {
    [Fix::new("let workers fetch less ahead").python(
        Side::Worker,
        FixPlace::CelerySettings,
        ["app.conf.worker_prefetch_multiplier = 1"],
    )]
}

/// Mends TL710 where the instrumentor makes the span: what marked it as an error
/// stays, and a status of OK is final.
pub fn retry_is_ok(worker: &SdkSetup) -> Vec<Fix> {
    let in_worker = (worker.language.code() == Some(Language::Python)).then(|| {
        Fix::new("mark the run of a retry as one without an error").python(
            Side::Worker,
            FixPlace::WorkerModule,
            [
                "from celery.signals import task_retry",
                "from opentelemetry import trace",
                "@task_retry.connect(weak=False)",
                "def mark_as_no_error(**_):",
                "    status = trace.Status(trace.StatusCode.OK)",
                "    trace.get_current_span().set_status(status)",
            ],
        )
    });
    let by_hand = Fix::new("let Retry pass").by_hand(
        Side::Worker,
        "before the `except` that marks the current span, add `except celery.exceptions.Retry: raise`",
    );
    in_worker.into_iter().chain([by_hand]).collect()
}

/// Mends TL710 where the span is made by hand, with this name. `TaskPredicate` is
/// what a task tells Celery by: to retry, ignore or reject it.
pub fn retry_is_no_error(name: &str, kind: SpanKind, setting: &SdkSetup) -> [Fix; 1] {
    let by_hand = || {
        Fix::new("let Retry pass").by_hand(
            Side::Worker,
            "where the task's span is made, take an exception that only retries the task for no error",
        )
    };
    let name = plain_name(name, b"-_./: ", "");
    if name.is_empty() || setting.language.code() != Some(Language::Python) {
        return [by_hand()];
    }
    let mut lines = vec![
        "from contextlib import contextmanager".to_owned(),
        "from celery.exceptions import TaskPredicate".to_owned(),
        "from opentelemetry import trace".to_owned(),
        "@contextmanager".to_owned(),
        "def task_span():".to_owned(),
        "    with tracer.start_as_current_span(".to_owned(),
        format!("        \"{name}\","),
        "        context=ctx,".to_owned(),
    ];
    lines.extend((kind == SpanKind::Consumer).then(|| "        kind=trace.SpanKind.CONSUMER,".to_owned()));
    let rest = [
        "        record_exception=False,",
        "        set_status_on_exception=False,",
        "    ) as span:",
        "        try:",
        "            yield span",
        "        except TaskPredicate:",
        "            raise",
        "        except Exception as error:",
        "            span.record_exception(error)",
        "            span.set_status(trace.StatusCode.ERROR, str(error))",
        "            raise",
        "with task_span() as span:",
    ];
    lines.extend(rest.map(str::to_owned));
    [Fix::new("take a retry for no error").python(Side::Worker, FixPlace::TaskSpan, lines)]
}

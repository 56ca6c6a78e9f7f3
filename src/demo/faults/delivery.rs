//! The message itself goes astray, or the task does.

use crate::demo::fault::Fault;
use crate::demo::setup::Order;

pub static FAULTS: &[Fault] = &[
    Fault {
        slug: "task-not-registered",
        what: "the worker never imports the module of the task",
        seen: "the request with its publishing, and nothing of the worker",
        expects: Some("task-not-registered"),
        also: &[],
        change: |play| play.worker.registered.clear(),
    },
    Fault {
        slug: "no-worker",
        what: "no worker is started",
        seen: "the request with its publishing, and nothing of the worker",
        expects: Some("no-worker"),
        also: &[],
        change: |play| {
            play.has_worker = false;
            play.waits_ms = 1500;
        },
    },
    Fault {
        slug: "unroutable-message",
        what: "a second task goes to a topic exchange to which no queue is bound",
        seen: "a whole trace, and in it a publishing that leads nowhere",
        expects: Some("unroutable-message"),
        also: &[],
        change: |play| play.api.order = Order::Unroutable,
    },
    Fault {
        slug: "worker-killed",
        what: "the worker's child is killed in the middle of the task",
        seen: "the request with its publishing; at best parts of the task",
        expects: Some("worker-killed"),
        also: &[],
        change: |play| play.worker.is_killed = true,
    },
    Fault {
        slug: "duplicate-execution",
        what: "the task takes longer than the visibility timeout, and is delivered a second time",
        seen: "one trace, in which the task runs twice",
        expects: Some("duplicate-execution"),
        also: &[],
        change: |play| {
            play.worker.acks_late = true;
            play.worker.visibility_timeout_ms = 400;
            play.worker.concurrency = 2;
            play.least_pace = 0.5;
        },
    },
];

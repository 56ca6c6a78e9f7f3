//! The message itself goes astray, or the task does.

use crate::demo::native::fault::Fault;
use crate::demo::native::setup::Canvas;

pub static FAULTS: &[Fault] = &[
    Fault {
        slug: "task-not-registered",
        what: "the worker never imports the module of the task",
        seen: "the request with its publishing, and nothing of the worker",
        expects: Some("task-not-registered"),
        also: &[],
        change: |scenario| scenario.worker.registered.clear(),
    },
    Fault {
        slug: "no-worker",
        what: "no worker is started",
        seen: "the request with its publishing, and nothing of the worker",
        expects: Some("no-worker"),
        also: &[],
        change: |scenario| {
            scenario.has_worker = false;
            scenario.waits_ms = 1500;
        },
    },
    Fault {
        slug: "unroutable-message",
        what: "a second task goes to a topic exchange to which no queue is bound",
        seen: "a whole trace, and in it a publishing that leads nowhere",
        expects: Some("unroutable-message"),
        also: &[],
        change: |scenario| scenario.api.canvas = Canvas::Unroutable,
    },
    Fault {
        slug: "worker-killed",
        what: "the worker's child is killed in the middle of the task",
        seen: "the request with its publishing; at best parts of the task",
        expects: Some("worker-killed"),
        also: &[],
        change: |scenario| scenario.worker.is_killed = true,
    },
    Fault {
        slug: "duplicate-execution",
        what: "the task takes longer than the visibility timeout, and is delivered a second time",
        seen: "one trace, in which the task runs twice",
        expects: Some("duplicate-execution"),
        also: &[],
        change: |scenario| {
            scenario.worker.acks_late = true;
            scenario.worker.visibility_timeout_ms = 400;
            scenario.worker.concurrency = 2;
            scenario.least_pace = 0.5;
        },
    },
];

//! The context travels, and spans do not arrive.

use super::hand_made::hand;
use crate::demo::native::fault::Fault;
use crate::demo::native::scenario::Destination;
use crate::demo::native::setup::{Form, Reader, Reads, Source};

/// Python's `OTEL_BSP_SCHEDULE_DELAY`, in milliseconds.
const PYTHONS_DELAY: u64 = 5000;

pub static FAULTS: &[Fault] = &[
    Fault {
        slug: "worker-silent",
        what: "the worker has no SDK",
        seen: "the request with its publishing, and nothing of the worker",
        expects: Some("worker-silent"),
        also: &[],
        change: |scenario| scenario.worker_sdk.sdk = false,
    },
    Fault {
        slug: "worker-silent-wrong-endpoint",
        what: "the worker exports to a port at which nobody listens",
        seen: "the request with its publishing, and nothing of the worker",
        expects: Some("worker-silent"),
        also: &[],
        change: |scenario| scenario.worker_sdk.to = Destination::Nowhere,
    },
    Fault {
        slug: "worker-silent-lost-at-exit",
        what: "the worker is stopped within the batch delay, and does not flush",
        seen: "the request with its publishing, and nothing of the worker",
        expects: Some("worker-silent"),
        also: &[],
        change: |scenario| {
            scenario.worker_sdk.delay_ms = PYTHONS_DELAY;
            scenario.worker_sdk.flushes_at_exit = false;
        },
    },
    Fault {
        slug: "parent-not-exported",
        what: "the API is killed within the batch delay, after it published",
        seen: "the task alone, under a parent that is not there",
        expects: Some("parent-not-exported"),
        also: &[],
        change: |scenario| {
            scenario.api_sdk.delay_ms = PYTHONS_DELAY;
            scenario.api_is_killed = true;
        },
    },
    Fault {
        slug: "parent-not-ended",
        what: "the worker's hand-made consumer span is never ended",
        seen: "the email and the inventory under a parent that is not there",
        expects: Some("parent-not-ended"),
        also: &[],
        change: |scenario| {
            hand(scenario, Source::Current, Form::Flat);
            scenario.worker.instrumentor = None;
            scenario.worker.by_hand = Some(Reader { reads: Reads::Flat, drops_context: false, leaks: true });
        },
    },
    Fault {
        slug: "exported-twice",
        what: "the API has two span processors: opentelemetry-instrument's and its own",
        seen: "every span of the API twice",
        expects: Some("exported-twice"),
        also: &[],
        change: |scenario| {
            scenario.api_sdk.processors = 2;
            // In several batches: one that comes twice may be a resend.
            scenario.api_sdk.delay_ms = 20;
            scenario.orders = 3;
            scenario.least_pace = 1.0;
        },
    },
    Fault {
        slug: "grpc-on-http-port",
        what: "the worker's gRPC exporter is pointed at the port for HTTP",
        seen: "the request with its publishing, and nothing of the worker",
        expects: Some("grpc-on-http-port"),
        also: &["worker-silent"],
        change: |scenario| scenario.worker_sdk.to = Destination::HttpPort,
    },
    Fault {
        slug: "http-endpoint-without-path",
        what: "the worker's HTTP exporter posts to / instead of /v1/traces",
        seen: "the request with its publishing, and nothing of the worker",
        expects: Some("http-endpoint-without-path"),
        also: &["worker-silent"],
        change: |scenario| scenario.worker_sdk.to = Destination::WithoutPath,
    },
];

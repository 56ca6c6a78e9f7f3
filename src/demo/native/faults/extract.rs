//! The worker does not take the context up.

use super::hand_made::{KEY, by_hand, hand, reader};
use crate::demo::native::fault::Fault;
use crate::demo::native::setup::{Form, HandMade, Propagator, Reader, Reads, Source};

pub static FAULTS: &[Fault] = &[
    Fault {
        slug: "propagator-mismatch",
        what: "the API writes B3, the worker reads W3C",
        seen: "two traces: the request with its publishing, and the task as a root",
        expects: Some("propagator-mismatch"),
        also: &[],
        change: |scenario| scenario.api_sdk.propagators = vec![Propagator::B3Multi],
    },
    Fault {
        slug: "propagator-mismatch-jaeger",
        what: "the API writes Jaeger's header, the worker reads W3C",
        seen: "two traces: the request with its publishing, and the task as a root",
        expects: Some("propagator-mismatch"),
        also: &[],
        change: |scenario| scenario.api_sdk.propagators = vec![Propagator::Jaeger],
    },
    Fault {
        slug: "propagator-mismatch-worker-b3",
        what: "the API writes W3C, the worker reads B3",
        seen: "two traces: the request with its publishing, and the task as a root",
        expects: Some("propagator-mismatch"),
        also: &[],
        change: |scenario| scenario.worker_sdk.propagators = vec![Propagator::B3],
    },
    Fault {
        slug: "carrier-key-mismatch",
        what: "the API writes the header trace-context, the worker reads trace_context",
        seen: "two traces: the request, and the task as a root",
        expects: Some("carrier-key-mismatch"),
        also: &[],
        change: |scenario| {
            by_hand(scenario);
            hand(scenario, Source::Current, Form::Json("trace-context".to_owned()));
        },
    },
    Fault {
        slug: "carrier-shape-mismatch",
        what: "the API writes a carrier of its own, the worker's instrumentor reads flat headers",
        seen: "two traces: the request, and the task as a root",
        expects: Some("carrier-shape-mismatch"),
        also: &[],
        change: |scenario| hand(scenario, Source::Current, Form::Json(KEY.to_owned())),
    },
    Fault {
        slug: "extract-result-ignored",
        what: "the worker extracts the context and starts its span without it",
        seen: "two traces: the request, and the task as a root",
        expects: Some("extract-result-ignored"),
        also: &[],
        change: |scenario| {
            hand(scenario, Source::Current, Form::Flat);
            scenario.worker.instrumentor = None;
            scenario.worker.by_hand = Some(Reader { reads: Reads::Flat, drops_context: true, leaks: false });
        },
    },
    Fault {
        slug: "worker-not-instrumented",
        what: "the worker has an SDK and spans of its own, and nothing that reads Celery's messages",
        seen: "the request with its publishing; the email and the inventory as roots",
        expects: Some("worker-not-instrumented"),
        also: &[],
        change: |scenario| scenario.worker.instrumentor = None,
    },
    Fault {
        slug: "duplicate-consumer-spans",
        what: "instrumentor and hand-made span, both on both sides",
        seen: "one trace, in which every task stands twice",
        expects: Some("duplicate-consumer-spans"),
        also: &[],
        change: |scenario| {
            scenario.api.by_hand =
                Some(HandMade { source: Source::Current, form: Form::Json(KEY.to_owned()) });
            scenario.worker.by_hand =
                Some(Reader { reads: Reads::Json(KEY.to_owned()), drops_context: false, leaks: false });
        },
    },
    Fault {
        slug: "worker-crashed-reading-context",
        what: "the API sends no custom header, and self.request.headers is None in the worker",
        seen: "the request alone: the task fails before its span begins",
        expects: Some("worker-crashed-reading-context"),
        also: &[],
        change: |scenario| {
            scenario.api.instrumentor = false;
            reader(scenario, Reads::Json(KEY.to_owned()));
        },
    },
];
